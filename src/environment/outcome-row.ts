import { z } from 'zod'

/**
 * The shape of a row of an outcome table. What wasn't measured is absent, never 0. Fields that this version doesn't know are kept out
 * of the way, not refused.
 */
const tokens = z.int().nonnegative()
const share = z.number().min(0).max(1)
const amount = z.number().nonnegative()
// Half of a surrogate pair has no UTF-8, so such a text could not be served byte for byte.
const text = z.string().refine((value) => !holdsHalfPair(value), 'holds half of a surrogate pair, which no UTF-8 text can')

const measured = {
  quality: share.optional(),
  /** Dollars of the call. Absent: to be computed from tokens and a price. */
  usd: amount.optional(),
  /** All input tokens, those read from a prompt cache included. */
  inputTokens: tokens.optional(),
  /** Of the input tokens, those read from a prompt cache. */
  cacheReadTokens: tokens.optional(),
  /** Visible output tokens, without reasoning. */
  outputTokens: tokens.optional(),
  reasoningTokens: tokens.optional(),
  /** Duration of the whole call. */
  seconds: amount.optional(),
  firstTokenSeconds: amount.optional(),
  /** Energy of the call, measured or modelled: a table should hold one kind only. */
  joules: amount.optional(),
  /** Tools that were called on the way to the answer. */
  toolCalls: tokens.optional(),
  answer: text.optional(),
}
const sample = z.object(measured)
const outcome = z.object({ ...measured, samples: z.array(sample).min(1).optional() })
const row = z.object({
  id: z.string().min(1),
  request: z.looseObject({
    messages: z.array(z.looseObject({ role: z.string().min(1), content: z.unknown() })).min(1),
  }),
  category: z.string().optional(),
  /**
   * 1 over the probability with which the request was put into the table, where it is a sample of a larger log: sums over rows times
   * their weights then estimate sums over the log (Horvitz & Thompson 1952).
   */
  weight: z.number().positive().optional(),
  outcomes: z.record(z.string().min(1), outcome),
})

/** One run of an arm on a request. */
export type OutcomeSample = z.output<typeof sample>
/** What an arm gave and took on a request; `samples` are repeated runs in the order drawn. */
export type Outcome = z.output<typeof outcome>
/** One request and its outcomes by arm. `request` is in OpenAI's chat form. */
export type OutcomeRow = z.output<typeof row>

/**
 * A value as a row, or what is wrong with it: the field's path and the fault. Linear. A row of known fields only is looked at by hand,
 * which takes about a tenth of the schema's time; anything else goes to the schema, which has the last word and the words of every
 * fault.
 */
export function asOutcomeRow(value: unknown): OutcomeRow | { readonly fault: string } {
  return isPlainRow(value) ? value : rowBySchema(value)
}

/** The same by the schema alone. */
export function rowBySchema(value: unknown): OutcomeRow | { readonly fault: string } {
  const read = row.safeParse(value)
  if (read.success) return read.data
  const issue = read.error.issues[0]
  return { fault: issue ? `${pathText(issue.path)}: ${issue.message}` : 'has the wrong shape' }
}

/** Whether a text holds half of a surrogate pair. Linear; texts without surrogates, nearly all, are told by one native search. */
function holdsHalfPair(value: string): boolean {
  return /[\ud800-\udfff]/.test(value) && /\p{Surrogate}/u.test(value)
}

/** True only for what the schema would give back as it is. */
function isPlainRow(value: unknown): value is OutcomeRow {
  if (!isObject(value)) return false
  for (const key in value) {
    const field = value[key]
    switch (key) {
      case 'id':
        if (typeof field !== 'string' || field === '') return false
        break
      case 'request':
        if (!isRequest(field)) return false
        break
      case 'category':
        if (typeof field !== 'string') return false
        break
      case 'weight':
        if (!(typeof field === 'number' && field > 0 && field < Infinity)) return false
        break
      case 'outcomes':
        if (!isObject(field)) return false
        for (const arm in field) if (arm === '' || arm === '__proto__' || !isOutcome(field[arm], true)) return false
        break
      default:
        return false
    }
  }
  return 'id' in value && 'request' in value && 'outcomes' in value
}

function isRequest(value: unknown): boolean {
  if (!isObject(value)) return false
  const { messages } = value
  if (!Array.isArray(messages) || messages.length === 0) return false
  for (const message of messages) {
    if (!isObject(message) || typeof message['role'] !== 'string' || message['role'] === '' || !('content' in message)) return false
    if (Object.hasOwn(message, '__proto__')) return false
  }
  return !Object.hasOwn(value, '__proto__')
}

function isOutcome(value: unknown, mayHaveSamples: boolean): boolean {
  if (!isObject(value)) return false
  for (const key in value) {
    const field = value[key]
    switch (key) {
      case 'quality':
        if (!(typeof field === 'number' && field >= 0 && field <= 1)) return false
        break
      case 'usd':
      case 'seconds':
      case 'firstTokenSeconds':
      case 'joules':
        if (!(typeof field === 'number' && field >= 0 && field < Infinity)) return false
        break
      case 'inputTokens':
      case 'cacheReadTokens':
      case 'outputTokens':
      case 'reasoningTokens':
      case 'toolCalls':
        if (!(typeof field === 'number' && field >= 0 && Number.isSafeInteger(field))) return false
        break
      case 'answer':
        if (typeof field !== 'string' || holdsHalfPair(field)) return false
        break
      case 'samples':
        if (!mayHaveSamples || !Array.isArray(field) || field.length === 0) return false
        for (const one of field) if (!isOutcome(one, false)) return false
        break
      default:
        return false
    }
  }
  return true
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function pathText(path: readonly PropertyKey[]): string {
  return path.map((step, index) => (typeof step === 'number' ? `[${step}]` : index === 0 ? String(step) : `.${String(step)}`)).join('')
}
