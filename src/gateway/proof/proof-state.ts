import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { evidenceKinds, type RolledBack } from '../../evaluation/index.js'
import { writeWhole } from '../write-whole.js'

/** What the guardrail keeps beyond the process. Evidence lies in the ledger and is read again. */
export interface ProofState {
  readonly rolledBack: readonly RolledBack[]
  /** Unix seconds from which on trials of a scope count: when it was last resumed. */
  readonly since: Readonly<Record<string, number>>
}

const number = () => z.number()
const schema = z.strictObject({
  bursar: z.literal('proof 1'),
  rolledBack: z.array(
    z.strictObject({
      scope: z.string().min(1).max(300),
      at: number(),
      kind: z.enum(evidenceKinds),
      difference: z.strictObject({ value: number(), low: number(), high: number(), n: number() }),
      margin: number(),
    }),
  ),
  since: z.record(z.string(), number()),
})

/** Reads the file; `undefined` where there is none. Throws `Error` for one that can't be read, or that `writeProofState` did not write. */
export async function readProofState(file: string): Promise<ProofState | undefined> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return undefined
    throw thrown
  }
  const { rolledBack, since } = schema.parse(JSON.parse(text))
  return { rolledBack, since }
}

/** Writes the whole file or leaves the one that was there. */
export async function writeProofState(file: string, { rolledBack, since }: ProofState): Promise<void> {
  const plain = rolledBack.map(({ scope, at, kind, difference: { value, low, high, n }, margin }) => ({
    scope,
    at,
    kind,
    difference: { value, low, high, n },
    margin,
  }))
  await writeWhole(file, `${JSON.stringify({ bursar: 'proof 1', rolledBack: plain, since }, null, 2)}\n`)
}
