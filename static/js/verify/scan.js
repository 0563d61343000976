// Reading a QR code from the camera or from a picture, with jsQR (static/vendor/jsqr). No picture leaves the browser.
const SIDES = [1000, 1600, 700, 2400]; // of a picture, in pixels: codes are found best when neither large nor small
const CAMERA_SIDE = 1000, PAUSE_MS = 150;

async function read(image, width, height, side) { // the text of the code, null where there is none
  await import("../../vendor/jsqr/jsQR-1.4.0.js"); // sets self.jsQR
  const scale = Math.min(1, side / Math.max(width, height));
  const canvas = new OffscreenCanvas(Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale)));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  return self.jsQR(pixels.data, pixels.width, pixels.height)?.data || null;
}

export async function codeInPicture(file) {
  const picture = await createImageBitmap(file).catch(() => null);
  if (!picture) return null;
  const longest = Math.max(picture.width, picture.height);
  for (const side of SIDES.filter((side, i) => i === 0 || side <= longest)) {
    const found = await read(picture, picture.width, picture.height, side);
    if (found) return found;
  }
  return null;
}

export const hasCamera = () => Boolean(navigator.mediaDevices?.getUserMedia);

// Show the camera in a <video> until a code is read; returns its text, null where `stopped` (an AbortSignal) came first.
export async function codeFromCamera(video, stopped) {
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 1920 } } });
  try {
    video.srcObject = stream;
    await video.play();
    while (!stopped.aborted) {
      const found = video.videoWidth ? await read(video, video.videoWidth, video.videoHeight, CAMERA_SIDE) : null;
      if (found) return found;
      await new Promise((resume) => setTimeout(resume, PAUSE_MS));
    }
    return null;
  } finally {
    for (const track of stream.getTracks()) track.stop();
    video.srcObject = null;
  }
}
