import { createHash } from 'node:crypto'
import { InvalidRequest } from '../../errors/index.js'
import { noCost } from '../../quantities/index.js'
import { canonical } from '../../strategies/index.js'
import type { Check, Grade } from '../suite/contract.js'
import type { DeclaredCheck, Graded } from './check-kind.js'
import { gradeAll } from './grade-item.js'
import { checkKind, checkKindNames } from './registry.js'

/** To be raised when what a kind gives for the same declaration and answer changes: grades that were kept are made anew then. */
const GRADING_VERSION = 1
/** Sets within sets. */
const DEEPEST = 4

/**
 * A check from its declaration. `not-` before a type turns its grade round: 1 less the score, passed where it failed. Throws
 * `InvalidRequest` with the path of the field at fault: an unknown type (the message lists those known), a value of the wrong form, a
 * pattern or schema that can't be used. May start a thread to look at schemas; calls no model.
 */
export async function createCheck(declared: DeclaredCheck, path: string, depth = 0): Promise<Check> {
  const weight = declared.weight ?? 1
  if (!(weight >= 0 && Number.isFinite(weight)))
    throw new InvalidRequest(`\`weight\` is a number from 0, not ${weight}.`, { path: `${path}.weight` })
  const negated = declared.type.startsWith('not-')
  const type = negated ? declared.type.slice(4) : declared.type
  const made = type === 'assert-set' ? await setOf(declared, path, depth) : await one({ ...declared, type }, path)
  const { kind, least, fingerprint, grade } = made
  return {
    kind: negated ? `not-${kind}` : kind,
    weight,
    // The other way round a check passes with the scores that would not have done.
    threshold: negated ? Math.max(0, 1 - least) : least,
    fingerprint: createHash('sha256')
      .update(canonical({ version: GRADING_VERSION, negated, kind, ...fingerprint }))
      .digest('hex'),
    grade: async (answer, context) => gradeOf(await grade(answer, context), least, negated),
  }
}

interface Made {
  readonly kind: string
  readonly least: number
  readonly fingerprint: Readonly<Record<string, unknown>>
  readonly grade: (...asked: Parameters<Check['grade']>) => Graded | Promise<Graded>
}

async function one(declared: DeclaredCheck, path: string): Promise<Made> {
  const kind = checkKind(declared.type)
  if (kind === undefined)
    throw new InvalidRequest(
      `There is no check "${declared.type}". There are ${checkKindNames().join(', ')}; each also with \`not-\` before it.`,
      { path: `${path}.type` },
    )
  const bound = await kind.bind(declared, path)
  const { weight: _weight, type: _type, ...said } = declared
  return {
    kind: kind.kind,
    least: bound.threshold ?? 1,
    fingerprint: { said, depends: bound.depends },
    grade: (answer, context) => bound.grade(answer, context),
  }
}

async function setOf(declared: DeclaredCheck, path: string, depth: number): Promise<Made> {
  const { checks = [], threshold } = declared
  if (checks.length === 0) throw new InvalidRequest('assert-set needs `assert`: a list of checks.', { path: `${path}.assert` })
  if (depth >= DEEPEST) throw new InvalidRequest(`Sets of checks nest at most ${DEEPEST} deep.`, { path })
  if (threshold !== undefined && !(threshold >= 0 && threshold <= 1))
    throw new InvalidRequest(`\`threshold\` of assert-set is a share in [0, 1], not ${threshold}.`, { path: `${path}.threshold` })
  const members: Check[] = []
  for (const [index, check] of checks.entries()) members.push(await createCheck(check, `${path}.assert[${index}]`, depth + 1))
  return {
    kind: 'assert-set',
    least: threshold ?? 1,
    fingerprint: { threshold, members: members.map(({ fingerprint, weight }) => ({ fingerprint, weight })) },
    grade: (answer, context) => gradeAll(members, threshold, answer, context),
  }
}

function gradeOf({ score, passed, reason, cost = noCost }: Graded, least: number, negated: boolean): Grade {
  const share = Number.isFinite(score) ? Math.min(1, Math.max(0, score)) : 0
  const held = passed ?? share >= least
  if (!negated) return { score: share, passed: held, reason, cost }
  return { score: 1 - share, passed: !held, reason: `${held ? 'Not wanted' : 'As wanted'}: ${reason}`, cost }
}
