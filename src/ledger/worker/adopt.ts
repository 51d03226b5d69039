import { readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { lifeOf, readMark } from '../journal/process-mark.js'
import { checkHolder, findSegments, type FoundSegment } from '../journal/segment.js'

/** Name of the mark in each process's directory. */
export const markName = 'owner'
/** Beside the directories of processes: segments with lines that could not be read. */
export const spoiltName = 'spoilt'

/** A process's directory among the journals. Throws `invalid_configuration` for an id that can't be a directory's name. */
export function journalDirectory(journals: string, holder: string): string {
  checkHolder(holder)
  return join(journals, holder)
}

/**
 * Moves the directories of processes that have died into our own, whole: of several that try, one gets each, and nothing that one process wrote
 * is ever applied by two. Returns the holders of everything that was taken over, now or before. Grows with the number of directories.
 */
export function adoptDead(journals: string, own: string, leaseSeconds: number): readonly string[] {
  for (const directory of directoriesIn(journals)) {
    if (directory === own || basename(directory) === spoiltName || !isDead(directory, leaseSeconds)) continue
    try {
      renameSync(directory, join(own, basename(directory)))
    } catch (error) {
      // Another process was faster.
      if (!isMissing(error)) throw error
    }
  }
  return directoriesIn(own, true).map((directory) => basename(directory))
}

/** Segments of everything that was taken over, in the order to apply them. */
export function adoptedSegments(own: string): FoundSegment[] {
  return directoriesIn(own).flatMap((directory) => findSegments(directory))
}

/** Clears away directories that were taken over and have no segments left. */
export function clearAdopted(own: string): void {
  for (const directory of directoriesIn(own)) if (findSegments(directory).length === 0) rmSync(directory, { recursive: true, force: true })
}

function isDead(directory: string, leaseSeconds: number): boolean {
  const mark = readMark(join(directory, markName))
  if (mark !== undefined) return lifeOf(mark, leaseSeconds) === 'dead'
  // Without a mark: just being made, or it died while making it.
  try {
    return Math.abs(Date.now() - statSync(directory).mtimeMs) / 1000 > leaseSeconds
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}

function directoriesIn(directory: string, nested = false): string[] {
  const found: string[] = []
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue
    const path = join(directory, entry.name)
    found.push(path)
    if (nested) found.push(...directoriesIn(path, true))
  }
  return found
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
