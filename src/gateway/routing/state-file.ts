import { readFile } from 'node:fs/promises'
import { BursarError } from '../../errors/index.js'
import { writeWhole } from '../write-whole.js'

/** What predictors have learned, by whose it is. */
export interface RoutingState {
  /** Kind of the predictors, which alone can read the bytes. */
  readonly kind: string
  /** What was trained beforehand: what everyone begins with. */
  readonly base: Learned | undefined
  readonly tenants: ReadonlyMap<string, Learned>
}

export interface Learned {
  /** What a predictor serialised. */
  readonly bytes: Uint8Array
  /** Outcomes with a quality in it, of each arm, by their weight. */
  readonly outcomes: ReadonlyMap<string, number>
}

const MAGIC = 'bursar-routing-state 1\n'
/** Longest list of contents; bytes. */
const MAX_HEADER = 4 * 1024 * 1024

interface Header {
  readonly kind: string
  /** In the order in which the bytes follow; `null` is the base. */
  readonly parts: readonly Part[]
}

interface Part {
  readonly tenant: string | null
  readonly bytes: number
  readonly outcomes: readonly (readonly [arm: string, weight: number])[]
}

/** A state as one piece of bytes: a line that says what it is, a line of JSON with what follows, and the predictors' own bytes. */
export function encodeState({ kind, base, tenants }: RoutingState): Uint8Array {
  const parts = [...(base === undefined ? [] : [[null, base] as const]), ...tenants]
  const header: Header = {
    kind,
    parts: parts.map(([tenant, { bytes, outcomes }]) => ({ tenant, bytes: bytes.length, outcomes: [...outcomes] })),
  }
  return Buffer.concat([Buffer.from(`${MAGIC}${JSON.stringify(header)}\n`), ...parts.map(([, { bytes }]) => bytes)])
}

/**
 * Throws `BursarError` (`invalid_configuration`) for bytes that `encodeState` did not write, or that were cut. `name` is the file, for
 * the message.
 */
export function decodeState(bytes: Uint8Array, name: string): RoutingState {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const end = buffer.subarray(0, MAX_HEADER).indexOf(0x0a, MAGIC.length)
  if (buffer.subarray(0, MAGIC.length).toString('latin1') !== MAGIC || end < 0) throw refused(name, 'it holds something else')
  const header = headerOf(buffer.subarray(MAGIC.length, end).toString('utf8'))
  if (header === undefined) throw refused(name, 'its contents can’t be read')
  let at = end + 1
  let base: Learned | undefined
  const tenants = new Map<string, Learned>()
  for (const part of header.parts) {
    if (part.bytes > buffer.length - at) throw refused(name, 'it is cut off')
    const own: Learned = { bytes: new Uint8Array(buffer.subarray(at, at + part.bytes)), outcomes: new Map(part.outcomes) }
    if (part.tenant === null) base = own
    else tenants.set(part.tenant, own)
    at += part.bytes
  }
  if (at !== buffer.length) throw refused(name, 'something is left over')
  return { kind: header.kind, base, tenants }
}

function headerOf(text: string): Header | undefined {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return undefined
  }
  if (
    typeof json !== 'object' ||
    json === null ||
    !('kind' in json) ||
    typeof json.kind !== 'string' ||
    !('parts' in json) ||
    !Array.isArray(json.parts)
  )
    return undefined
  const parts: Part[] = []
  for (const part of json.parts as readonly unknown[]) {
    if (typeof part !== 'object' || part === null || !('tenant' in part) || !('bytes' in part) || !('outcomes' in part)) return undefined
    const { tenant, bytes, outcomes } = part
    if ((tenant !== null && typeof tenant !== 'string') || !isCount(bytes) || !Array.isArray(outcomes) || !outcomes.every(isTally))
      return undefined
    parts.push({ tenant, bytes, outcomes })
  }
  return { kind: json.kind, parts }
}

function isTally(value: unknown): value is readonly [string, number] {
  return Array.isArray(value) && value.length === 2 && typeof value[0] === 'string' && typeof value[1] === 'number' && value[1] >= 0
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

/** Reads the file; `undefined` where there is none. Throws as `decodeState`, and `invalid_configuration` when it can't be read. */
export async function readStateFile(file: string): Promise<RoutingState | undefined> {
  try {
    return decodeState(await readFile(file), file)
  } catch (thrown) {
    if (BursarError.is(thrown)) throw thrown
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return undefined
    throw refused(file, `it can’t be read (${thrown instanceof Error && 'code' in thrown ? String(thrown.code) : 'unknown'})`, thrown)
  }
}

/** Writes the whole file or leaves the one that was there: to another name first, to the disk, then in its place. */
export async function writeStateFile(file: string, state: RoutingState): Promise<void> {
  await writeWhole(file, encodeState(state))
}

function refused(name: string, why: string, cause?: unknown): BursarError {
  return new BursarError(
    `${name} is no state of routing that this version can use: ${why}. Train it again (bursar train), or delete the file to begin anew.`,
    {
      code: 'invalid_configuration',
      status: 500,
      path: 'routing.predictor.state',
      cause,
    },
  )
}
