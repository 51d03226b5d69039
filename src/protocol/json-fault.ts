import { asBuffer } from './bytes.js'

/**
 * Says in plain words where JSON breaks the grammar of RFC 8259, with the byte offset: V8's own message gives no offset
 * for many faults and quotes the caller's text. Runs only after a parse failed; iterative, so depth can't hurt it.
 */
export function describeJsonFault(source: Uint8Array): string {
  const bytes = asBuffer(source)
  // One entry an open bracket: its closing byte.
  const open: number[] = []
  let at = 0
  let want: 'value' | 'value or end' | 'key' | 'key or end' | 'colon' | 'comma or end' = 'value'

  const space = (): void => {
    while (bytes[at] === 0x20 || bytes[at] === 0x0a || bytes[at] === 0x0d || bytes[at] === 0x09) at++
  }
  const fault = (what: string): string =>
    at >= bytes.length ? `it ends too early; ${what} (at byte ${bytes.length})` : `${what} (at byte ${at})`

  for (;;) {
    space()
    const byte = bytes[at]
    const closing = open.at(-1)
    if (want === 'comma or end') {
      if (closing === undefined) return at === bytes.length ? 'it could not be parsed' : fault('there is more after the end of the value')
      if (byte === closing) {
        open.pop()
        at++
      } else if (byte === 0x2c) {
        at++
        want = closing === 0x7d ? 'key' : 'value'
      } else return fault(`a comma or ${closing === 0x7d ? '}' : ']'} was expected`)
      continue
    }
    if (want === 'colon') {
      if (byte !== 0x3a) return fault('a colon was expected after the field name')
      at++
      want = 'value'
      continue
    }
    if ((want === 'key or end' || want === 'value or end') && byte === closing) {
      open.pop()
      at++
      want = 'comma or end'
      continue
    }
    if (want === 'key' || want === 'key or end') {
      if (byte !== 0x22) return fault('a field name in double quotes was expected')
      const end = stringEnd(bytes, at)
      if (typeof end === 'string') return end
      at = end
      want = 'colon'
      continue
    }
    if (byte === 0x7b || byte === 0x5b) {
      open.push(byte === 0x7b ? 0x7d : 0x5d)
      at++
      want = byte === 0x7b ? 'key or end' : 'value or end'
      continue
    }
    if (byte === 0x22) {
      const end = stringEnd(bytes, at)
      if (typeof end === 'string') return end
      at = end
    } else {
      let end = at
      while (end < bytes.length && !delimiters.has(bytes[end] ?? 0)) end++
      if (end === at) return fault('a value was expected')
      const token = bytes.toString('latin1', at, Math.min(end, at + 400))
      if (!/^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)$/.test(token))
        return fault('a string, number, object, array, true, false or null was expected')
      at = end
    }
    want = 'comma or end'
  }
}

const delimiters = new Set([0x20, 0x0a, 0x0d, 0x09, 0x2c, 0x3a, 0x5d, 0x7d, 0x5b, 0x7b, 0x22])

/** Offset after the string that opens at `start`, or what is wrong with it. */
function stringEnd(bytes: Buffer, start: number): number | string {
  let at = start + 1
  while (at < bytes.length) {
    const byte = bytes[at] ?? 0
    if (byte === 0x22) return at + 1
    if (byte < 0x20) return `a string holds an unescaped control character (at byte ${at})`
    if (byte === 0x5c) {
      const next = bytes[at + 1]
      const ok =
        next === 0x75
          ? /^[0-9a-fA-F]{4}$/.test(bytes.toString('latin1', at + 2, at + 6))
          : next !== undefined && '"\\/bfnrt'.includes(String.fromCharCode(next))
      if (!ok) return `a string holds a bad escape (at byte ${at})`
      at += next === 0x75 ? 6 : 2
      continue
    }
    at++
  }
  return `a string is not closed (at byte ${start})`
}
