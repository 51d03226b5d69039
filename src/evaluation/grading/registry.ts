import type { CheckKind } from './check-kind.js'
import { code } from './kinds/code.js'
import { containsKinds } from './kinds/contains.js'
import { equals } from './kinds/equals.js'
import { choice, finalAnswer, numeric } from './kinds/final-answer.js'
import { javascript } from './kinds/javascript.js'
import { jsonKinds } from './kinds/json.js'
import { judgedKinds } from './kinds/judged.js'
import { levenshtein } from './kinds/levenshtein.js'
import { limitKinds } from './kinds/limits.js'
import { overlapKinds } from './kinds/overlap.js'
import { regex } from './kinds/regex.js'
import { similar } from './kinds/similar.js'
import { sql } from './kinds/sql.js'

/** Every kind of check. A new one is a file and its place here. */
export const checkKinds: readonly CheckKind[] = [
  equals,
  ...containsKinds,
  regex,
  ...jsonKinds,
  numeric,
  choice,
  finalAnswer,
  levenshtein,
  ...overlapKinds,
  similar,
  ...limitKinds,
  code,
  sql,
  javascript,
  ...judgedKinds,
]

const byName = new Map(checkKinds.flatMap((kind) => [kind.kind, ...(kind.aliases ?? [])].map((name) => [name, kind] as const)))

/** The kind of a type as files write it, with `not-` before it or without; `undefined` where there is none. */
export function checkKind(type: string): CheckKind | undefined {
  return byName.get(type.replace(/^not-/, ''))
}

/** The names of all types, sets included. */
export function checkKindNames(): readonly string[] {
  return [...checkKinds.map(({ kind }) => kind), 'assert-set']
}
