import { closeSync, fdatasync, fstatSync, fsync, ftruncateSync, open, close, openSync, unlinkSync, writeSync } from 'node:fs'

type Done = (error: Error | null) => void

/** What the journal does to files: the system's own, or ones that fail, for a test. */
export interface FileOperations {
  /** Makes a new file; throws when there is one. */
  create(path: string): number
  /** May write less than asked for, as a disk that fills up does. Returns the bytes written. */
  write(file: number, bytes: Uint8Array, from: number, length: number, position: number): number
  size(file: number): number
  truncate(file: number, length: number): void
  close(file: number): void
  remove(path: string): void
  /** Makes a file's contents durable. */
  sync(file: number, done: Done): void
  /** Makes the names in a directory durable. */
  syncDirectory(path: string, done: Done): void
}

export const systemFiles: FileOperations = {
  create: (path) => openSync(path, 'wx', 0o600),
  write: (file, bytes, from, length, position) => writeSync(file, bytes, from, length, position),
  size: (file) => fstatSync(file).size,
  truncate: ftruncateSync,
  close: closeSync,
  remove: unlinkSync,
  sync: fdatasync,
  syncDirectory: (path, done) =>
    open(path, 'r', (error, directory) => {
      if (error) return done(error)
      fsync(directory, (failure) => close(directory, () => done(failure)))
    }),
}
