import { closeSync, openSync, writeSync } from 'node:fs'
import { InvalidRequest } from '../errors/index.js'

/**
 * Writes a result where `option` (such as `--json`) asked for it. Throws `InvalidRequest` that names option and file where it can't be
 * written.
 */
export function writeResult(option: string, file: string, text: string): void {
  writeResultLines(option, file, [text])
}

/** The same, piece by piece: what is made for a long file is never in memory as a whole. */
export function writeResultLines(option: string, file: string, pieces: Iterable<string>): void {
  const out = told(option, file, () => openSync(file, 'w'))
  try {
    for (const piece of pieces) told(option, file, () => writeSync(out, piece))
  } finally {
    closeSync(out)
  }
}

function told<T>(option: string, file: string, write: () => T): T {
  try {
    return write()
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : 'unknown reason'
    throw new InvalidRequest(
      `${option}: ${file} could not be written (${why}). Name a file in a folder that exists and is yours to write in.`,
      { path: option.replace(/^-+/, ''), cause },
    )
  }
}
