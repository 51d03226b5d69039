import { existsSync, mkdirSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

/**
 * Makes a directory, and those above it that aren't there. Does nothing when it is there. Throws the system's error, at once: Node's own
 * `recursive` never returns where nothing can be made, such as below /proc.
 */
export function makeFolder(path: string, mode?: number): void {
  const folder = resolve(path)
  const missing = [folder]
  for (let above = dirname(folder); !existsSync(above); above = dirname(above)) missing.push(above)
  for (const one of missing.reverse())
    try {
      mkdirSync(one, mode)
    } catch (error) {
      // It was there, or another process has just made it.
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST' && isFolder(one))) throw error
    }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}
