//! What the kernel and a program hand each other about a camera: structures of linux/videodev2.h, as they lie in memory
//! on 64-bit machines. Their sizes are part of the calls' numbers: where they were others, the kernel would refuse.

use std::mem::{offset_of, size_of};

/// V4L2_BUF_TYPE_VIDEO_CAPTURE.
pub(super) const CAPTURE: u32 = 1;

/// V4L2_MEMORY_MMAP.
pub(super) const MMAP: u32 = 1;

/// V4L2_FIELD_NONE: whole frames.
pub(super) const WHOLE: u32 = 1;

/// V4L2_CAP_VIDEO_CAPTURE.
pub(super) const CAN_CAPTURE: u32 = 1;

/// V4L2_CAP_STREAMING.
pub(super) const CAN_STREAM: u32 = 0x0400_0000;

/// V4L2_CAP_DEVICE_CAPS: what this node can is told apart from what the whole device can.
pub(super) const HAS_DEVICE_CAPS: u32 = 0x8000_0000;

/// V4L2_BUF_FLAG_ERROR.
pub(super) const IS_BROKEN: u32 = 0x40;

/// V4L2_FRMSIZE_TYPE_DISCRETE, and of intervals the same.
pub(super) const DISCRETE: u32 = 1;

/// struct v4l2_capability.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Capability {
    pub(super) driver: [u8; 16],
    pub(super) card: [u8; 32],
    pub(super) bus: [u8; 32],
    pub(super) version: u32,
    pub(super) capabilities: u32,
    pub(super) device_caps: u32,
    pub(super) reserved: [u32; 3],
}

/// struct v4l2_fmtdesc.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FormatDescription {
    pub(super) index: u32,
    pub(super) kind: u32,
    pub(super) flags: u32,
    pub(super) description: [u8; 32],
    pub(super) pixel_format: u32,
    pub(super) mbus_code: u32,
    pub(super) reserved: [u32; 3],
}

/// struct v4l2_frmsizeenum: a discrete size is `width` and `height`, a range the six numbers from `width` on.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FrameSize {
    pub(super) index: u32,
    pub(super) pixel_format: u32,
    pub(super) kind: u32,
    /// Or the least width.
    pub(super) width: u32,
    /// Or the greatest width.
    pub(super) height: u32,
    pub(super) step_width: u32,
    pub(super) min_height: u32,
    pub(super) max_height: u32,
    pub(super) step_height: u32,
    pub(super) reserved: [u32; 2],
}

/// struct v4l2_frmivalenum: of a range the shortest interval comes first.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FrameInterval {
    pub(super) index: u32,
    pub(super) pixel_format: u32,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) kind: u32,
    pub(super) numerator: u32,
    pub(super) denominator: u32,
    pub(super) rest: [u32; 4],
    pub(super) reserved: [u32; 2],
}

/// struct v4l2_format with a struct v4l2_pix_format in its union.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(super) struct Format {
    pub(super) kind: u32,
    pub(super) padding: u32,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) pixel_format: u32,
    pub(super) field: u32,
    pub(super) bytes_per_line: u32,
    pub(super) size_image: u32,
    pub(super) colour: [u32; 6],
    pub(super) rest: [u32; 38],
}

/// struct v4l2_streamparm with a struct v4l2_captureparm in its union.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(super) struct Parameters {
    pub(super) kind: u32,
    pub(super) capability: u32,
    pub(super) mode: u32,
    pub(super) numerator: u32,
    pub(super) denominator: u32,
    pub(super) rest: [u32; 46],
}

/// struct v4l2_requestbuffers.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct BufferRequest {
    pub(super) count: u32,
    pub(super) kind: u32,
    pub(super) memory: u32,
    pub(super) capabilities: u32,
    pub(super) flags: u32,
}

/// struct v4l2_buffer.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Buffer {
    pub(super) index: u32,
    pub(super) kind: u32,
    pub(super) bytes_used: u32,
    pub(super) flags: u32,
    pub(super) field: u32,
    pub(super) padding: u32,
    pub(super) timestamp: [u64; 2],
    pub(super) timecode: [u32; 4],
    pub(super) sequence: u32,
    pub(super) memory: u32,
    pub(super) offset: u32,
    pub(super) union_rest: u32,
    pub(super) length: u32,
    pub(super) reserved: u32,
    pub(super) request: i32,
    pub(super) end: u32,
}

// As a C compiler lays them out on x86_64 and aarch64.
const _: () = {
    assert!(size_of::<Capability>() == 104 && offset_of!(Capability, device_caps) == 88);
    assert!(size_of::<FormatDescription>() == 64 && offset_of!(FormatDescription, pixel_format) == 44);
    assert!(size_of::<FrameSize>() == 44 && offset_of!(FrameSize, width) == 12);
    assert!(size_of::<FrameInterval>() == 52 && offset_of!(FrameInterval, numerator) == 20);
    assert!(size_of::<Format>() == 208 && offset_of!(Format, width) == 8);
    assert!(size_of::<Parameters>() == 204 && offset_of!(Parameters, numerator) == 12);
    assert!(size_of::<BufferRequest>() == 20 && offset_of!(BufferRequest, flags) == 16);
    assert!(size_of::<Buffer>() == 88 && offset_of!(Buffer, timestamp) == 24);
    assert!(offset_of!(Buffer, sequence) == 56 && offset_of!(Buffer, offset) == 64);
    assert!(offset_of!(Buffer, length) == 72 && offset_of!(Buffer, request) == 80);
};

impl Format {
    /// Frames of that size and pixel format.
    pub(super) fn of(pixel_format: u32, width: u32, height: u32) -> Self {
        Self {
            kind: CAPTURE,
            padding: 0,
            width,
            height,
            pixel_format,
            field: WHOLE,
            bytes_per_line: 0,
            size_image: 0,
            colour: [0; 6],
            rest: [0; 38],
        }
    }
}

impl Parameters {
    /// So many frames a second.
    pub(super) fn of(frames_per_second: u32) -> Self {
        Self {
            kind: CAPTURE,
            capability: 0,
            mode: 0,
            numerator: 1,
            denominator: frames_per_second,
            rest: [0; 46],
        }
    }
}

impl Buffer {
    /// One of the buffers that are mapped.
    pub(super) fn of(index: u32) -> Self {
        Self { index, kind: CAPTURE, memory: MMAP, ..Self::default() }
    }
}
