/* Numbers that come as text. */
medgenLive.parts.files = function () {
  function bytesOf(base64) {
    return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  }

  /** 16-bit floats (little-endian bytes) -> Float32Array. */
  function floatsOf(base64) {
    const bytes = bytesOf(base64);
    const floats = new Float32Array(bytes.length / 2);
    for (let i = 0; i < floats.length; i++) {
      const word = bytes[2 * i] | (bytes[2 * i + 1] << 8);
      const sign = word & 0x8000 ? -1 : 1;
      const exponent = (word >> 10) & 31;
      const fraction = word & 1023;
      floats[i] = sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -24 * fraction);
    }
    return floats;
  }

  return { bytesOf, floatsOf };
};
