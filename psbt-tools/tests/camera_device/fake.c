// A camera that is not there: loaded before the C library, it answers the calls of one path as a V4L2 driver would, or as
// one that lies would. Told by the environment:
//   FAKE_CAMERA         the path
//   FAKE_CAMERA_OFFERS  formats, sizes and frames a second: "YUYV:640x480@30,MJPG:1280x720@30"
//   FAKE_CAMERA_FRAMES  a file: each frame's length in four bytes (the low one first), then its bytes
//   FAKE_CAMERA_GAP     bytes between two rows
//   FAKE_CAMERA_LIE     what is wrong with it
//   FAKE_CAMERA_LOG     a file that gets a line when the stream begins and when it ends
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define MOST 64

static int camera = -1;
static struct { __u32 format, width, height, rate; } offers[MOST];
static unsigned offered;
static struct v4l2_pix_format chosen;
static unsigned buffers, buffer_len, waiting[MOST], first, queued, given;
static int streams;
static FILE *frames;

static const char *told(const char *name) {
    const char *value = getenv(name);
    return value ? value : "";
}

static int lies(const char *lie) { return strcmp(told("FAKE_CAMERA_LIE"), lie) == 0; }

static int fails(int number) {
    errno = number;
    return -1;
}

static void note(const char *line) {
    FILE *log = fopen(told("FAKE_CAMERA_LOG"), "a");
    if (log) {
        fprintf(log, "%s\n", line);
        fclose(log);
    }
}

static int is_jpeg(void) { return chosen.pixelformat == V4L2_PIX_FMT_MJPEG; }

static unsigned pixel_len(void) { return chosen.pixelformat == V4L2_PIX_FMT_YUYV ? 2 : 1; }

static int begin(void) {
    if (lies("denied")) return fails(EACCES);
    if (lies("busy at once")) return fails(EBUSY);
    char text[4096], *rest = text;
    snprintf(text, sizeof text, "%s", told("FAKE_CAMERA_OFFERS"));
    for (char *word; (word = strsep(&rest, ",")) && offered < MOST;) {
        char name[5];
        if (sscanf(word, "%4c:%ux%u@%u", name, &offers[offered].width, &offers[offered].height,
                   &offers[offered].rate) != 4)
            continue;
        offers[offered++].format = v4l2_fourcc(name[0], name[1], name[2], name[3]);
    }
    frames = fopen(told("FAKE_CAMERA_FRAMES"), "rb");
    return camera = memfd_create("camera", MFD_CLOEXEC);
}

int open64(const char *path, int flags, ...) {
    if (strcmp(path, told("FAKE_CAMERA")) == 0) return begin();
    va_list rest;
    va_start(rest, flags);
    int mode = va_arg(rest, int);
    va_end(rest);
    int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, "open64");
    return real(path, flags, mode);
}

int close(int descriptor) {
    // Its number belongs to somebody else from now on.
    if (descriptor == camera) camera = -1;
    int (*real)(int) = dlsym(RTLD_NEXT, "close");
    return real(descriptor);
}

int poll(struct pollfd *descriptors, nfds_t count, int milliseconds) {
    int (*real)(struct pollfd *, nfds_t, int) = dlsym(RTLD_NEXT, "poll");
    if (camera < 0 || count != 1 || descriptors->fd != camera) return real(descriptors, count, milliseconds);
    int gone = lies("unplugged") && given >= 3;
    int silent = lies("silent") || !streams || queued == 0;
    int pause = silent && !gone ? milliseconds : milliseconds < 5 ? milliseconds : 5;
    nanosleep(&(struct timespec){pause / 1000, pause % 1000 * 1000000L}, NULL);
    descriptors->revents = gone ? POLLERR | POLLHUP : silent ? 0 : POLLIN;
    return descriptors->revents != 0;
}

// The next frame, each row with the gap behind it; the first one again after the last.
static unsigned draw(unsigned char *at) {
    unsigned char head[4];
    if (!frames) return 0;
    if (fread(head, 1, 4, frames) != 4) {
        rewind(frames);
        if (fread(head, 1, 4, frames) != 4) return 0;
    }
    unsigned len = head[0] | head[1] << 8 | head[2] << 16 | (unsigned)head[3] << 24;
    unsigned char *frame = malloc(len);
    if (!frame || fread(frame, 1, len, frames) != len) abort();
    unsigned used = len;
    if (is_jpeg()) {
        if (len > buffer_len) abort();
        memcpy(at, frame, len);
    } else {
        if (len != chosen.width * chosen.height) abort();
        used = chosen.bytesperline * chosen.height;
        for (unsigned y = 0; y < chosen.height; y++) {
            unsigned char *to = at + y * chosen.bytesperline;
            memset(to, 0x80, chosen.bytesperline);
            for (unsigned x = 0; x < chosen.width; x++) to[x * pixel_len()] = frame[y * chosen.width + x];
        }
    }
    free(frame);
    return used;
}

static int fetch(struct v4l2_buffer *buffer) {
    if (lies("unplugged") && given >= 3) return fails(ENODEV);
    if (lies("stopped") && given >= 3) return fails(EIO);
    if (!streams || queued == 0) return fails(EAGAIN);
    unsigned index = waiting[first];
    first = (first + 1) % MOST;
    queued--;
    given++;
    unsigned char *at = mmap(NULL, buffer_len, PROT_READ | PROT_WRITE, MAP_SHARED, camera, (off_t)index * buffer_len);
    if (at == MAP_FAILED) abort();
    buffer->bytesused = draw(at);
    munmap(at, buffer_len);
    buffer->index = index;
    buffer->flags = 0;
    if (lies("half frames")) buffer->bytesused /= 2;
    if (lies("huge frames")) buffer->bytesused = 0xffffffff;
    if (lies("foreign buffer")) buffer->index = 99;
    if (lies("every second is broken") && given % 2) buffer->flags = V4L2_BUF_FLAG_ERROR;
    if (lies("all are broken")) buffer->flags = V4L2_BUF_FLAG_ERROR;
    return 0;
}

static int give_back(const struct v4l2_buffer *buffer) {
    if (buffer->index >= buffers || queued >= buffers) return fails(EINVAL);
    for (unsigned at = 0; at < queued; at++)
        if (waiting[(first + at) % MOST] == buffer->index) return fails(EINVAL);
    waiting[(first + queued++) % MOST] = buffer->index;
    return 0;
}

static int set_format(struct v4l2_format *format) {
    if (lies("busy")) return fails(EBUSY);
    chosen = format->fmt.pix;
    int known = 0;
    for (unsigned at = 0; at < offered; at++)
        known |= offers[at].format == chosen.pixelformat && offers[at].width == chosen.width &&
                 offers[at].height == chosen.height;
    if (!known && offered) {
        chosen.pixelformat = offers[0].format;
        chosen.width = offers[0].width;
        chosen.height = offers[0].height;
    }
    unsigned planes = chosen.pixelformat == V4L2_PIX_FMT_NV12 ? 3 : 2;
    chosen.bytesperline = is_jpeg() ? 0 : chosen.width * pixel_len() + (unsigned)atoi(told("FAKE_CAMERA_GAP"));
    chosen.sizeimage = is_jpeg() ? chosen.width * chosen.height : chosen.bytesperline * chosen.height * planes / 2;
    buffer_len = (chosen.sizeimage + 4095) / 4096 * 4096;
    format->fmt.pix = chosen;
    if (lies("short rows")) format->fmt.pix.bytesperline = chosen.width / 2;
    if (lies("endless rows")) format->fmt.pix.bytesperline = 0xffffffff;
    if (lies("endless frame")) format->fmt.pix.height = 0xffffffff;
    if (lies("no frame")) format->fmt.pix.width = 0;
    if (lies("another format")) format->fmt.pix.pixelformat = v4l2_fourcc('R', 'G', '1', '0');
    return 0;
}

static int request(struct v4l2_requestbuffers *wanted) {
    buffers = wanted->count < 3 ? wanted->count : 3;
    first = queued = 0;
    if (ftruncate(camera, (off_t)buffers * buffer_len)) abort();
    wanted->count = buffers;
    if (lies("no buffers")) wanted->count = 0;
    if (lies("endless buffers")) wanted->count = 0xffffffff;
    return 0;
}

static int enumerate_sizes(struct v4l2_frmsizeenum *size) {
    unsigned seen = 0;
    if (lies("sizes untold")) return fails(ENOTTY);
    if (lies("endless lists")) {
        size->type = V4L2_FRMSIZE_TYPE_DISCRETE;
        size->discrete.width = size->discrete.height = size->index;
        return 0;
    }
    if (lies("a range")) {
        size->type = V4L2_FRMSIZE_TYPE_STEPWISE;
        size->stepwise = (struct v4l2_frmsize_stepwise){16, 1920, 8, 16, 1080, 8};
        return size->index ? fails(EINVAL) : 0;
    }
    for (unsigned at = 0; at < offered; at++)
        if (offers[at].format == size->pixel_format && seen++ == size->index) {
            size->type = V4L2_FRMSIZE_TYPE_DISCRETE;
            size->discrete.width = offers[at].width;
            size->discrete.height = offers[at].height;
            return 0;
        }
    return fails(EINVAL);
}

static int enumerate_formats(struct v4l2_fmtdesc *format) {
    unsigned seen = 0;
    if (lies("endless lists")) {
        format->pixelformat = V4L2_PIX_FMT_GREY;
        return 0;
    }
    for (unsigned at = 0; at < offered; at++) {
        unsigned before = 0;
        for (unsigned other = 0; other < at; other++) before |= offers[other].format == offers[at].format;
        if (!before && seen++ == format->index) {
            format->pixelformat = offers[at].format;
            return 0;
        }
    }
    return fails(EINVAL);
}

static int enumerate_rates(struct v4l2_frmivalenum *rate) {
    if (rate->index) return fails(EINVAL);
    for (unsigned at = 0; at < offered; at++)
        if (offers[at].format == rate->pixel_format && offers[at].width == rate->width &&
            offers[at].height == rate->height) {
            rate->type = V4L2_FRMIVAL_TYPE_DISCRETE;
            rate->discrete = (struct v4l2_fract){1, offers[at].rate};
            if (lies("no time")) rate->discrete = (struct v4l2_fract){0, 0};
            return 0;
        }
    return fails(EINVAL);
}

static int answer(unsigned long call, void *about) {
    if (lies("stopped") && call == VIDIOC_S_PARM) return fails(EIO);
    switch (call) {
    case VIDIOC_QUERYCAP: {
        struct v4l2_capability *can = about;
        // A name that would clear a terminal, and does not end.
        memcpy(can->card, lies("name") ? "\x1b[2J0123456789012345678901234567890" : "Fake camera", lies("name") ? 32 : 12);
        can->capabilities = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING | V4L2_CAP_DEVICE_CAPS;
        can->device_caps = lies("metadata") ? V4L2_CAP_META_CAPTURE | V4L2_CAP_STREAMING
                                            : V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
        return 0;
    }
    case VIDIOC_ENUM_FMT: return enumerate_formats(about);
    case VIDIOC_ENUM_FRAMESIZES: return enumerate_sizes(about);
    case VIDIOC_ENUM_FRAMEINTERVALS: return enumerate_rates(about);
    case VIDIOC_S_FMT: return set_format(about);
    case VIDIOC_S_PARM: return 0;
    case VIDIOC_REQBUFS: return request(about);
    case VIDIOC_QUERYBUF: {
        struct v4l2_buffer *buffer = about;
        if (buffer->index >= buffers) return fails(EINVAL);
        buffer->length = lies("small buffers") ? 16 : lies("endless buffer") ? 0xffffffff : buffer_len;
        buffer->m.offset = buffer->index * buffer_len;
        return 0;
    }
    case VIDIOC_QBUF: return give_back(about);
    case VIDIOC_DQBUF: return fetch(about);
    case VIDIOC_STREAMON:
        streams = 1;
        note("on");
        return 0;
    case VIDIOC_STREAMOFF:
        streams = 0;
        note("off");
        return 0;
    default: return fails(ENOTTY);
    }
}

int ioctl(int descriptor, unsigned long call, ...) {
    va_list rest;
    va_start(rest, call);
    void *about = va_arg(rest, void *);
    va_end(rest);
    if (camera >= 0 && descriptor == camera) return answer(call & 0xffffffff, about);
    int (*real)(int, unsigned long, ...) = dlsym(RTLD_NEXT, "ioctl");
    return real(descriptor, call, about);
}
