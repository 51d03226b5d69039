import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SseParser, type ServerSentEvent } from './sse.js'

/** The standard's algorithm written the slow way, over the whole text at once. */
function reference(bytes: Buffer): ServerSentEvent[] {
  const text = bytes.toString('utf8').replace(/^\ufeff/, '')
  const lines = text.split(/\r\n|\n|\r/)
  lines.pop()
  const events: ServerSentEvent[] = []
  let data: string[] = []
  let event = ''
  for (const line of lines) {
    if (line === '') {
      if (data.length > 0) events.push({ event: event === '' ? undefined : event, data: data.join('\n') })
      data = []
      event = ''
      continue
    }
    const match = /^([^:]*)(?::[ ]?([^]*))?$/.exec(line)
    if (match?.[1] === 'data') data.push(match[2] ?? '')
    if (match?.[1] === 'event') event = match[2] ?? ''
  }
  return events
}

function parse(bytes: Buffer, cuts: readonly number[]): ServerSentEvent[] {
  const parser = new SseParser()
  const events: ServerSentEvent[] = []
  let at = 0
  for (const cut of [...cuts, bytes.length].map((c) => Math.min(c, bytes.length)).sort((a, b) => a - b)) {
    // A fresh copy that is wiped afterwards: the parser must not keep the caller's memory.
    const piece = Buffer.from(bytes.subarray(at, cut))
    events.push(...parser.push(piece))
    piece.fill(0x21)
    at = cut
  }
  return [...events, ...parser.end()]
}

const streams = fc
  .array(
    fc.constantFrom(
      'data: {"a":1}',
      'data:x',
      'data',
      'data:',
      'data:  two',
      ':',
      ': note',
      'event: ping',
      'event:',
      'event',
      'id: 7',
      'retry: 10',
      'data: é漢😀',
      'junk',
      '\n',
      '\n',
      '\n\n',
      '\r',
      '\r\n',
      '\r\n\r\n',
      '\ufeff',
      '\0',
      ' data: no',
    ),
    { maxLength: 40 },
  )
  .map((pieces) => Buffer.from(pieces.join(''), 'utf8'))

describe('SseParser', () => {
  it('gives the same events for any split of the bytes, and those of the standard', () => {
    fc.assert(
      fc.property(streams, fc.array(fc.nat(400), { maxLength: 60 }), (bytes, cuts) => {
        const whole = reference(bytes)
        expect(parse(bytes, [])).toEqual(whole)
        expect(parse(bytes, cuts)).toEqual(whole)
        expect(parse(bytes, [...bytes.keys()])).toEqual(whole)
      }),
      { numRuns: 400 },
    )
  })

  it('reads arbitrary bytes as the standard says, however they are split', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
        const buffer = Buffer.concat([Buffer.from('data: '), bytes, Buffer.from('\n\n')])
        expect(parse(buffer, [...buffer.keys()])).toEqual(reference(buffer))
      }),
    )
  })

  it('drops an unfinished event at the end and says that one was pending', () => {
    const parser = new SseParser()
    expect(parser.push(Buffer.from('data: a\n\ndata: b\n'))).toEqual([{ event: undefined, data: 'a' }])
    expect(parser.pending).toBe(true)
    expect(parser.end()).toEqual([])
    const clean = new SseParser()
    clean.push(Buffer.from('data: a\r\n\r\n: comment\n'))
    expect(clean.pending).toBe(false)
  })

  it('bounds an event, in one piece, in many pieces and in many lines', () => {
    const tooLarge = expect.objectContaining({ code: 'upstream_malformed' })
    expect(thrownBy(() => new SseParser({ maxEventBytes: 100 }).push(Buffer.from(`data: ${'x'.repeat(101)}\n`)))).toEqual(tooLarge)
    for (const piece of ['x', 'data: yyyy\n']) {
      const parser = new SseParser({ maxEventBytes: 100 })
      expect(
        thrownBy(() => {
          for (let i = 0; i < 102; i++) parser.push(Buffer.from(piece))
        }),
      ).toEqual(tooLarge)
    }
    const many = new SseParser({ maxEventBytes: 100 })
    for (let i = 0; i < 1000; i++) expect(many.push(Buffer.from('data: 0123456789\n\n'))).toHaveLength(1)
  })
})

function thrownBy(run: () => unknown): unknown {
  try {
    run()
  } catch (thrown) {
    return thrown
  }
  return undefined
}
