import { createHash } from 'node:crypto'
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, readSync, renameSync, statSync, writeSync } from 'node:fs'
import { InvalidRequest } from '../../errors/index.js'
import type { ReplayState } from './replay.js'

/** How far a replay has come, and all that it knows by then. */
export interface Checkpoint {
  /** Last record of the log that is in it. */
  readonly line: number
  readonly leftOut: number
  readonly bytes: number
  readonly state: ReplayState
  /** See `SeenTexts.bytes`. */
  readonly seen: Uint8Array
  /** See `Predictor.serialize`. */
  readonly predictor: Uint8Array | undefined
}

const magic = 'bursar replay 1\n'
const headBytes = 1 << 16

/** Names a log by its size and beginning, with the settings that its figures depend on. Reads 64 KB. */
export function replayFingerprint(file: string, settings: unknown): string {
  const head = Buffer.alloc(headBytes)
  const handle = openSync(file, 'r')
  try {
    const read = readSync(handle, head, 0, headBytes, 0)
    return createHash('sha256')
      .update(head.subarray(0, read))
      .update(`${statSync(file).size}\n`)
      .update(JSON.stringify(settings))
      .digest('hex')
  } finally {
    closeSync(handle)
  }
}

/** Writes a checkpoint beside the old one and puts it in its place, so that a crash at any moment leaves one of the two. */
export function writeCheckpoint(file: string, fingerprint: string, { seen, predictor, ...told }: Checkpoint): void {
  const head = Buffer.from(`${magic}${JSON.stringify({ ...told, fingerprint, seen: seen.length, predictor: predictor?.length ?? null })}\n`)
  const body = Buffer.concat([head, seen, predictor ?? new Uint8Array(0)])
  const sum = createHash('sha256').update(body).digest()
  const handle = openSync(`${file}.new`, 'w', 0o600)
  try {
    for (let at = 0; at < body.length;) at += writeSync(handle, body, at)
    writeSync(handle, sum)
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
  renameSync(`${file}.new`, file)
}

/**
 * The checkpoint in a file; `undefined` where there is no file. Throws `InvalidRequest` where the file is none, is damaged, or belongs to another log or other
 * settings.
 */
export function readCheckpoint(file: string, fingerprint: string): Checkpoint | undefined {
  if (!existsSync(file)) return undefined
  const bytes = readFileSync(file)
  const refused = (why: string) =>
    new InvalidRequest(`The checkpoint ${file} ${why}. Delete it to begin anew, or name another file.`, { path: 'checkpoint' })
  if (bytes.subarray(0, magic.length).toString('latin1') !== magic) throw refused('is none of a replay')
  const body = bytes.subarray(0, -32)
  if (!createHash('sha256').update(body).digest().equals(bytes.subarray(-32))) throw refused('is damaged')
  const end = body.indexOf(0x0a, magic.length)
  const told: unknown = JSON.parse(body.subarray(magic.length, end).toString('utf8'))
  if (!isHead(told)) throw refused('is of another version')
  if (told.fingerprint !== fingerprint) throw refused('belongs to another log, or to other settings')
  const at = end + 1
  return {
    line: told.line,
    leftOut: told.leftOut,
    bytes: told.bytes,
    state: told.state,
    seen: body.subarray(at, at + told.seen),
    predictor: told.predictor === null ? undefined : body.subarray(at + told.seen, at + told.seen + told.predictor),
  }
}

interface Head extends Pick<Checkpoint, 'line' | 'leftOut' | 'bytes' | 'state'> {
  readonly fingerprint: string
  readonly seen: number
  readonly predictor: number | null
}

/** The checksum vouches for the rest: only we write these. */
function isHead(value: unknown): value is Head {
  return (
    typeof value === 'object' &&
    value !== null &&
    'fingerprint' in value &&
    'line' in value &&
    'state' in value &&
    'seen' in value &&
    'predictor' in value
  )
}
