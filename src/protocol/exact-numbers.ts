import { randomUUID } from 'node:crypto'
import { objectOf } from './json-value.js'

/**
 * Numbers that JavaScript can't hold, such as the 64-bit ids that agents pass to their tools. Some formats hold the arguments of a
 * call as JSON inside the body, others as text; between them a plain `JSON.parse` would round 1234567890123456789, and the
 * tool would work on another record. So such numbers travel through parsed values as marked strings, and become numbers again where
 * the value is written. The mark is drawn at the start of the process: no caller can guess it.
 */
const mark = `number-${randomUUID()}:`
const marked = new RegExp(`"${mark}([-+.0-9eE]+)"`, 'g')

/** Whether the text may hold a number that a double can't: every number of up to 15 digits fits. */
export function mayHoldLongNumber(text: string): boolean {
  return /\d{16}/.test(text)
}

/** Like `JSON.parse`, but numbers that would lose digits become marked strings. Write the result with `stringifyExact` only. */
export function parseExact(text: string): unknown {
  if (!mayHoldLongNumber(text)) return JSON.parse(text)
  // Only valid JSON is searched for numbers.
  JSON.parse(text)
  return JSON.parse(markNumbers(text))
}

/** Like `JSON.stringify`, for values with marked numbers in them. */
export function stringifyExact(value: unknown): string {
  const text = JSON.stringify(value)
  return text.includes(mark) ? text.replace(marked, '$1') : text
}

/**
 * The arguments of a call as text. Where a number may have lost digits they are read again from the whole text that the value was
 * parsed from: `steps` lead to them there.
 */
export function argumentsText(value: unknown, whole: string | undefined, ...steps: readonly (string | number)[]): string {
  const text = JSON.stringify(value ?? {})
  if (whole === undefined || !mayHoldLongNumber(text)) return text
  let exact: unknown = parseExact(whole)
  for (const step of steps) exact = Array.isArray(exact) ? exact[Number(step)] : objectOf(exact)?.[step]
  return exact === undefined ? text : stringifyExact(exact)
}

function markNumbers(text: string): string {
  let written = ''
  let from = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x22) {
      at = endOfString(text, at)
      continue
    }
    if (code !== 0x2d && (code < 0x30 || code > 0x39)) continue
    let end = at + 1
    while (end < text.length && /[-+.0-9eE]/.test(text.charAt(end))) end++
    const number = text.slice(at, end)
    if (mayHoldLongNumber(number.replace('.', '')) && String(Number(number)) !== number) {
      written += `${text.slice(from, at)}"${mark}${number}"`
      from = end
    }
    at = end - 1
  }
  return written + text.slice(from)
}

/** Index of the closing quote of the string that begins here. */
function endOfString(text: string, start: number): number {
  let at = start + 1
  while (at < text.length && text.charCodeAt(at) !== 0x22) at += text.charCodeAt(at) === 0x5c ? 2 : 1
  return at
}
