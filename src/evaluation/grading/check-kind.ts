import { z } from 'zod'
import { InvalidRequest } from '../../errors/index.js'
import type { Cost } from '../../quantities/index.js'
import type { GradingContext } from '../suite/contract.js'

/** A check as a test file declares it: its variables are filled in, its files are read. */
export interface DeclaredCheck {
  /** Such as `contains`, or `not-contains`. */
  readonly type: string
  /** What the answer is held against; its form depends on the type. */
  readonly value?: unknown
  /** Depends on the type: the least score, or the most dollars, milliseconds or edits. */
  readonly threshold?: number | undefined
  /** Share in the item's score; 1 when absent, 0 for a check that is only told of. */
  readonly weight?: number | undefined
  /** Further settings of the type. */
  readonly config?: Readonly<Record<string, unknown>> | undefined
  /** The model that judges, or that computes embeddings; in Bursar's names. */
  readonly model?: string | undefined
  /** Instructions for a judge in place of the usual ones. */
  readonly rubricPrompt?: string | undefined
  /** Of an `assert-set`. */
  readonly checks?: readonly DeclaredCheck[] | undefined
}

/** A score before it is weighed: `passed` where the score alone doesn't tell. */
export interface Graded {
  /** In [0, 1]. */
  readonly score: number
  readonly passed?: boolean | undefined
  /** One plain sentence. */
  readonly reason: string
  /** Absent: nothing was called. */
  readonly cost?: Cost | undefined
}

/** A check with what it is held against: ready to grade. */
export interface BoundCheck {
  /** Least score that counts as passed; 1 when absent. */
  readonly threshold?: number | undefined
  /** What the grade depends on beside the declaration, such as a prompt of ours: it goes into the fingerprint. */
  readonly depends?: unknown
  /** Never throws for anything an answer may hold. */
  grade(answer: string, context: GradingContext): Graded | Promise<Graded>
}

/**
 * One type of check: its name, and how its declaration becomes something that grades. A new type is a file with one of these, and a
 * line in `registry.ts`.
 */
export interface CheckKind {
  readonly kind: string
  /** Other names under which files know it. */
  readonly aliases?: readonly string[] | undefined
  /** One plain sentence for documentation. */
  readonly about: string
  /** The value is code or a pattern: `{{…}}` in it is filled in only where it names a variable of the test. */
  readonly verbatim?: boolean | undefined
  /** Reads the declaration. Throws `InvalidRequest` with the path of the field at fault, below `path`. */
  bind(declared: DeclaredCheck, path: string): BoundCheck | Promise<BoundCheck>
}

/** 1 or 0, with the sentence that fits. */
export function verdict(passed: boolean, yes: string, no: string): Graded {
  return { score: passed ? 1 : 0, passed, reason: passed ? yes : no }
}

/** The settings of a check (`config`), of which unknown ones are refused. Throws `InvalidRequest` with the field's path. */
export function readConfig<Settings>(type: z.ZodType<Settings>, declared: DeclaredCheck, path: string): Settings {
  const read = type.safeParse(declared.config ?? {})
  if (read.success) return read.data
  const issue = read.error.issues[0]
  const field = issue === undefined ? '' : issue.path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`)).join('')
  throw new InvalidRequest(`${issue?.message ?? 'has the wrong form'} (settings of ${declared.type})`, { path: `${path}.config${field}` })
}

/** Of types without settings. */
export const noConfig = z.strictObject({})

/** Text, a number or a truth value as the text that an answer would say. Throws `InvalidRequest`. */
export function textValue(declared: DeclaredCheck, path: string): string {
  const { value } = declared
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return String(value)
  throw new InvalidRequest(`${declared.type} needs \`value\`: the text that is expected, not ${nameOf(value)}.`, { path: `${path}.value` })
}

/** One text or a list of them. Throws `InvalidRequest`, also for an empty list. */
export function textValues(declared: DeclaredCheck, path: string): readonly string[] {
  const { value } = declared
  const items: readonly unknown[] = Array.isArray(value) ? value : [value]
  if (items.length === 0) throw new InvalidRequest(`${declared.type} needs at least one text in \`value\`.`, { path: `${path}.value` })
  return items.map((item, index) => {
    if (typeof item === 'string' || typeof item === 'number' || typeof item === 'boolean') return String(item)
    throw new InvalidRequest(`${declared.type} needs \`value\`: a text, or a list of texts, not ${nameOf(item)}.`, {
      path: `${path}.value${Array.isArray(value) ? `[${index}]` : ''}`,
    })
  })
}

/** A threshold that is a least score, in [0, 1]. Throws `InvalidRequest`. */
export function scoreThreshold(declared: DeclaredCheck, path: string, usual: number): number {
  const threshold = declared.threshold ?? usual
  if (!(threshold >= 0 && threshold <= 1))
    throw new InvalidRequest(`\`threshold\` of ${declared.type} is a least score in [0, 1], not ${threshold}.`, {
      path: `${path}.threshold`,
    })
  return threshold
}

/** What kind of thing a value is, for messages. */
export function nameOf(value: unknown): string {
  if (value === undefined || value === null) return 'nothing'
  return Array.isArray(value) ? 'a list' : typeof value === 'object' ? 'a mapping' : `a ${typeof value}`
}

/** A text short enough to stand in a sentence. */
export function shown(text: string, most = 60): string {
  const line = text.replace(/\s+/g, ' ').trim()
  return line.length <= most ? `"${line}"` : `"${line.slice(0, most - 1)}…"`
}
