import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BursarError } from '../errors/index.js'
import { createTap } from './tap.js'
import { spliceReplyCost } from './tap-cost.js'
import { parseBody } from './json-scan.js'
import { openaiChat } from './openai-chat/index.js'
import { openaiEmbeddings } from './openai-embeddings/index.js'

/** Names and values that mean something, so that random bodies get deep into the readers. */
const names = fc.constantFrom(
  'model',
  'messages',
  'role',
  'content',
  'type',
  'text',
  'image_url',
  'url',
  'tool_calls',
  'function',
  'name',
  'arguments',
  'id',
  'index',
  'tools',
  'choices',
  'delta',
  'message',
  'finish_reason',
  'usage',
  'prompt_tokens',
  'completion_tokens',
  'error',
  'logprobs',
  'reasoning_details',
  'reasoning',
  'signature',
  'stream_options',
  'response_format',
  'json_schema',
  'schema',
  'input',
  'data',
  'embedding',
  '__proto__',
  'constructor',
  'cache_control',
  'stop',
  'metadata',
  'extra_content',
  'custom',
)
const leaves = fc.oneof(
  fc.constantFrom<unknown>(
    'user',
    'assistant',
    'tool',
    'text',
    'function',
    'stop',
    'error',
    'auto',
    '',
    null,
    true,
    false,
    0,
    1,
    -1,
    1e21,
    'm',
    'reasoning.text',
    'ephemeral',
    'json_schema',
  ),
  fc.string(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
)
const { json } = fc.letrec<{ json: unknown; object: Record<string, unknown> }>((tie) => ({
  json: fc.oneof({ depthSize: 'medium', withCrossShrink: true }, leaves, fc.array(tie('json'), { maxLength: 4 }), tie('object')),
  object: fc.dictionary(names, tie('json'), { maxKeys: 6 }),
}))

/** Runs it; anything but an error of the family is a bug. */
function survives(run: () => unknown, status: (status: number) => boolean): void {
  try {
    run()
  } catch (thrown) {
    if (!BursarError.is(thrown)) throw thrown
    expect(thrown.status).toSatisfy(status)
  }
}
const callers = (status: number): boolean => status >= 400 && status < 500
const providers = (status: number): boolean => status === 502
const drop = { unsupported: (): void => undefined }

/** A body near to a good one. */
const bodies = fc.tuple(fc.dictionary(names, json, { maxKeys: 5 }), fc.option(json), fc.option(json)).map(([fields, content, calls]) => ({
  model: 'm',
  messages: [
    { role: 'user', content: content ?? 'x' },
    { role: 'assistant', content: 'y', tool_calls: calls },
  ],
  ...fields,
}))

describe('whatever comes', () => {
  it('a caller gets a 4xx or an answer', () => {
    fc.assert(
      fc.property(fc.oneof(bodies, json), (body) => {
        const text = JSON.stringify(body)
        survives(() => {
          const parsed = parseBody(Buffer.from(text), { maxDepth: 50 })
          const request = openaiChat.decodeRequest(parsed.json)
          openaiChat.encodeRequest(request, 'm', drop)
        }, callers)
        survives(() => openaiEmbeddings.decodeRequest(parseBody(Buffer.from(text), { maxDepth: 50 }).json), callers)
      }),
      { numRuns: 400 },
    )
  })

  it('a provider is understood, or found faulty', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            fc.dictionary(names, json, { maxKeys: 5 }).map((fields) => ({ choices: [{ index: 0, delta: fields, message: fields }] })),
            json,
          ),
          { maxLength: 5 },
        ),
        (chunks) => {
          const decoder = openaiChat.createStreamDecoder()
          survives(() => {
            const encoder = openaiChat.createStreamEncoder({ model: 'm', messages: [], stream: true, paths: {}, extra: [] }, 'id')
            for (const chunk of chunks)
              for (const delta of decoder.push({ event: undefined, data: JSON.stringify(chunk) })) encoder.push(delta)
          }, providers)
          for (const chunk of chunks) {
            survives(() => openaiChat.decodeReply(chunk), providers)
            survives(() => openaiEmbeddings.decodeReply(chunk), providers)
            openaiChat.decodeError(chunk)
            survives(
              () => spliceReplyCost('openai-chat', Buffer.from(JSON.stringify(chunk)), () => ({ usd: null, details: {} })),
              providers,
            )
          }
          for (const format of ['openai-chat', 'openai-responses', 'anthropic-messages'] as const) {
            const tap = createTap(format, { price: () => ({ usd: null, details: {} }), usage: 'always' })
            for (const chunk of chunks) tap.push(Buffer.from(`data: ${JSON.stringify(chunk)}\n\n`))
            tap.end()
          }
        },
      ),
      { numRuns: 400 },
    )
  })

  it('a tap takes any bytes', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            fc.uint8Array(),
            fc
              .constantFrom('data: ', '{"usage":{', '}}', '\n', '\r', '"error":', '[DONE]')
              .map((text) => new Uint8Array(Buffer.from(text))),
          ),
        ),
        (batches) => {
          const tap = createTap('openai-chat', { price: () => ({ usd: null, details: {} }), usage: 'asked' })
          for (const batch of batches) tap.push(batch)
          tap.end()
        },
      ),
    )
  })
})
