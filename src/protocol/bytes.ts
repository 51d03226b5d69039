/** The same bytes as a Buffer, without a copy: Buffer's searches are native and many times faster than a loop. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
