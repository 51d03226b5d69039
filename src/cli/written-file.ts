import { writeFileSync } from 'node:fs'
import { InvalidRequest } from '../errors/index.js'

/**
 * Writes a result where `option` (such as `--json`) asked for it. Throws `InvalidRequest` that names option and file where it can't be
 * written.
 */
export function writeResult(option: string, file: string, text: string): void {
  try {
    writeFileSync(file, text)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : 'unknown reason'
    throw new InvalidRequest(
      `${option}: ${file} could not be written (${why}). Name a file in a folder that exists and is yours to write in.`,
      { path: option.replace(/^-+/, ''), cause },
    )
  }
}
