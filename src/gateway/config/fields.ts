import { z } from 'zod'
import { Secret } from './secret.js'

/** A length of time in seconds, at most a day. */
export const seconds = () => z.number().positive().max(86_400)

/** A size in bytes: a whole number, or a number with a unit such as `32 MiB`. */
export const bytes = () =>
  z
    .union([
      z.int().positive().max(MAX_BYTES),
      z.string().regex(/^\d+(\.\d+)?\s*([KMGkmg]?i?[Bb])?$/, 'expected a size such as 4096, "64 KiB" or "32 MiB"'),
    ])
    .transform((value, context) => {
      if (typeof value === 'number') return value
      const size = bytesOf(value)
      if (size >= 1 && size <= MAX_BYTES) return size
      context.issues.push({ code: 'custom', message: 'expected a size between 1 byte and 4 GiB', input: value })
      return z.NEVER
    })

/** Larger than any body that a JSON parser could hold in one string. */
const MAX_BYTES = 4 * 1024 ** 3

/** Text that is never shown again. */
export const secret = () =>
  z
    .string()
    .trim()
    .min(1, 'expected a secret, but the text is empty')
    .regex(/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/, 'expected printable ASCII on one line, since it goes into an HTTP header')
    .transform((text) => new Secret(text))

/** An `http:` or `https:` address. Returned without trailing slashes. */
export const httpUrl = () =>
  z
    .string()
    .superRefine((text, context) => {
      const wrong = urlProblem(text)
      if (wrong !== undefined) context.addIssue({ code: 'custom', message: wrong })
    })
    .transform((text) => text.replace(/\/+$/, ''))

function urlProblem(text: string): string | undefined {
  if (!URL.canParse(text)) return 'expected an address such as https://api.example.com/v1'
  const url = new URL(text)
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'expected an address that begins with https:// or http://'
  if (url.username !== '' || url.password !== '')
    return 'a user name or password in the address would end up in logs; use `api_key` or `headers`'
  if (url.search !== '' || url.hash !== '') return 'expected an address without ? and #'
  return undefined
}

/** A moment: ISO 8601 with a time zone, or a date (its first moment in UTC). Returned in UTC with milliseconds. */
export const moment = () =>
  z
    .string()
    .regex(
      /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?$/,
      'expected a date such as 2027-01-31, or 2027-01-31T18:00:00Z',
    )
    // Said only of what looks like a date.
    .refine((text) => !/^\d{4}-\d{2}-\d{2}/.test(text) || (!Number.isNaN(Date.parse(text)) && isRealDay(text)), 'there is no such date')
    .transform((text) => new Date(text).toISOString())

/** JavaScript reads February 30 as March 2. */
function isRealDay(text: string): boolean {
  const [year, month, day] = text.slice(0, 10).split('-').map(Number)
  const date = new Date(Date.UTC(year ?? 0, (month ?? 1) - 1, day ?? 0))
  return date.getUTCMonth() + 1 === month && date.getUTCDate() === day
}

/** Bytes of `"32 MiB"`. Units are powers of 1024 whether written `MB` or `MiB`, as in most servers' configurations. */
function bytesOf(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(?:([KMG]?)i?B)?$/i.exec(text)
  const power = ['', 'k', 'm', 'g'].indexOf((match?.[2] ?? '').toLowerCase())
  return Math.floor(Number(match?.[1] ?? Number.NaN) * 1024 ** power)
}

/** Name of a provider: what stands before the first slash of `provider/model`. */
export const providerName = () =>
  z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'expected a name of letters, digits, ".", "_" and "-", at most 64 long')

// No flags in these patterns: they are copied into the JSON Schema, which has none.
/** Name of a model as callers write it. */
export const modelName = () =>
  z.string().regex(/^[^\s\x00-\x1f\x7f]{1,200}$/, 'expected a model name without spaces, at most 200 characters long')

/** A model name, or the beginning of one and `*`. */
export const modelPattern = () =>
  z.string().regex(/^(?:[^\s\x00-\x1f\x7f*]{1,200}\*?|\*)$/, 'expected a model name, or the beginning of one and "*"')

/** Whether a list of names and patterns has this model; a list that isn't there has all. */
export function allowsModel(patterns: readonly string[] | undefined, model: string): boolean {
  return (
    patterns === undefined ||
    patterns.some((pattern) => pattern === model || (pattern.endsWith('*') && model.startsWith(pattern.slice(0, -1))))
  )
}

/** A `provider/model` reference. */
export const modelReference = () =>
  z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\/[^\s\x00-\x1f\x7f]{1,200}$/, 'expected `provider/model`, such as openai/gpt-5-mini')
