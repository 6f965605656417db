// Other people's codecs of QR frames: one JSON object in on standard input, one out on standard output.
//
//   {"do": "join", "format": "ur" | "bbqr", "frames": [...]}             -> {"type": ..., "hex": ...}
//   {"do": "split", "format": ..., "hex": ..., "size": bytes of a part,
//    "count": frames, "encoding": "H" | "2" | "Z"}                       -> {"frames": [...]}
//
// It runs in the folder that install-qr prints.
const { createRequire } = require("node:module");
const { readFileSync } = require("node:fs");
const { pathToFileURL } = require("node:url");
const peers = createRequire(process.cwd() + "/");

/** bbqr is a module of the new kind, which is found beside this file only; so by its path. */
function bbqr() {
    const folder = process.cwd() + "/node_modules/bbqr/";
    const { exports } = JSON.parse(readFileSync(folder + "package.json"));
    return import(pathToFileURL(folder + exports["."].import));
}

function joinUr({ frames }) {
    const { URDecoder } = peers("@ngraveio/bc-ur");
    const decoder = new URDecoder();
    let used = 0;
    for (const frame of frames) {
        decoder.receivePart(frame.toLowerCase());
        used += 1;
        if (decoder.isComplete()) break;
    }
    if (!decoder.isSuccess()) throw new Error(decoder.resultError() || "not whole");
    const ur = decoder.resultUR();
    return { type: ur.type, hex: ur.decodeCBOR().toString("hex"), used };
}

function splitUr({ hex, size, count }) {
    const { UR, UREncoder } = peers("@ngraveio/bc-ur");
    const encoder = new UREncoder(UR.fromBuffer(Buffer.from(hex, "hex")), size);
    return { frames: Array.from({ length: count }, () => encoder.nextPart()) };
}

async function joinBbqr({ frames }) {
    const { fileType, raw } = (await bbqr()).joinQRs(frames);
    return { type: fileType, hex: Buffer.from(raw).toString("hex") };
}

async function splitBbqr({ hex, encoding }) {
    const { parts } = (await bbqr()).splitQRs(Buffer.from(hex, "hex"), "B", { encoding, maxVersion: 27 });
    return { frames: parts };
}

const commands = { join: { ur: joinUr, bbqr: joinBbqr }, split: { ur: splitUr, bbqr: splitBbqr } };
let text = "";
process.stdin.on("data", (chunk) => (text += chunk));
process.stdin.on("end", async () => {
    const request = JSON.parse(text);
    process.stdout.write(JSON.stringify(await commands[request.do][request.format](request)));
});
