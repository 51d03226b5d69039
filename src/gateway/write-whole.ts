import { open, rename, unlink } from 'node:fs/promises'

/**
 * Writes the whole file, readable by its owner alone, or leaves the one that was there: to another name first, to the disk, then in its
 * place. Throws what the file system does.
 */
export async function writeWhole(file: string, content: string | Uint8Array): Promise<void> {
  const part = `${file}.${process.pid}.part`
  try {
    const handle = await open(part, 'w', 0o600)
    try {
      await handle.writeFile(content)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(part, file)
  } catch (thrown) {
    await unlink(part).catch(() => undefined)
    throw thrown
  }
}
