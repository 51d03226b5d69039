import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { BursarError } from '../../errors/index.js'
import { writeWhole } from '../write-whole.js'

/** What was learned beside the predictors: by strategies, and by a policy with a memory of its own. */
export interface LearnedState {
  readonly tenants: readonly (readonly [tenant: string, learned: unknown])[]
  readonly policy?: { readonly kind: string; readonly bytes: Uint8Array } | undefined
}

const MAGIC = 'bursar-learned-state 1\n'
const form = z.object({
  tenants: z.array(z.tuple([z.string(), z.unknown()])),
  policy: z.object({ kind: z.string(), bytes: z.base64() }).nullable(),
})

/** Beside the state of the predictors, by whose name it goes. */
export function learnedFileOf(stateFile: string): string {
  return `${stateFile}.learned`
}

/** A line that says what it is, a line with the SHA-256 of the rest, and the rest as JSON. */
export function encodeLearned({ tenants, policy }: LearnedState): string {
  const body = JSON.stringify({
    tenants,
    policy: policy === undefined ? null : { kind: policy.kind, bytes: Buffer.from(policy.bytes).toString('base64') },
  })
  return `${MAGIC}${digest(body)}\n${body}`
}

/** Throws `BursarError` (`invalid_configuration`) for a text that `encodeLearned` did not give, or that was changed since. `name` is the file, for the message. */
export function decodeLearned(text: string, name: string): LearnedState {
  const end = text.indexOf('\n', MAGIC.length)
  if (!text.startsWith(MAGIC) || end < 0) throw refused(name, 'it holds something else')
  const body = text.slice(end + 1)
  if (text.slice(MAGIC.length, end) !== digest(body)) throw refused(name, 'it is cut off, or was changed')
  const read = form.safeParse(JSON.parse(body))
  if (!read.success) throw refused(name, 'its contents can’t be read')
  const { tenants, policy } = read.data
  return {
    tenants,
    policy: policy === null ? undefined : { kind: policy.kind, bytes: new Uint8Array(Buffer.from(policy.bytes, 'base64')) },
  }
}

/** Reads the file; `undefined` where there is none. Throws as `decodeLearned`, and `invalid_configuration` when it can't be read. */
export async function readLearned(file: string): Promise<LearnedState | undefined> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return undefined
    throw refused(file, `it can’t be read (${thrown instanceof Error && 'code' in thrown ? String(thrown.code) : 'unknown'})`, thrown)
  }
  return decodeLearned(text, file)
}

/** Writes the whole file, or leaves the one that was there. */
export async function writeLearned(file: string, state: LearnedState): Promise<void> {
  await writeWhole(file, encodeLearned(state))
}

function digest(body: string): string {
  return createHash('sha256').update(body).digest('hex')
}

function refused(name: string, why: string, cause?: unknown): BursarError {
  return new BursarError(`${name} holds nothing learned that this version can use: ${why}. Delete the file to begin anew.`, {
    code: 'invalid_configuration',
    status: 500,
    path: 'routing.predictor.state',
    cause,
  })
}
