import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { UpstreamFailure } from '../../environment/upstream-failure.js'
import { BursarError, InvalidRequest } from '../../errors/index.js'
import { Secret } from '../config/secret.js'
import { createLogger, type LogFields, type LoggerOptions } from './log.js'
import { createScrubber } from './scrub.js'

function capture(options: LoggerOptions = {}) {
  const lines: string[] = []
  const logger = createLogger({ level: 'debug', ...options, destination: { write: (line: string) => void lines.push(line) } })
  return { logger, lines, text: () => lines.join(''), last: () => JSON.parse(lines.at(-1) ?? 'null') as Record<string, unknown> }
}

describe('lines', () => {
  it('are JSON with level, time and message, and children add their fields', () => {
    const { logger, last } = capture()
    logger.child({ request_id: 'req_1' }).info('request answered', { status: 200, usd: 12n, nothing: null })
    expect(last()).toMatchObject({ level: 'info', message: 'request answered', request_id: 'req_1', status: 200, usd: '12', nothing: null })
    expect(new Date(String(last()['time'])).getTime()).toBeGreaterThan(0)
  })

  it('below the level cost nothing and say nothing', () => {
    const { logger, lines } = capture({ level: 'warn' })
    logger.info('no')
    expect(lines).toEqual([])
    expect(logger.enabled('info')).toBe(false)
    logger.setLevel('debug')
    logger.debug('yes')
    expect(lines).toHaveLength(1)
  })

  it('never have two keys of one name', () => {
    const { logger, lines } = capture()
    logger.info('real', { level: 'fake', time: 'fake', message: 'fake' })
    expect(lines[0]?.match(/"level":/g)).toHaveLength(1)
    expect(lines[0]?.match(/"message":/g)).toHaveLength(1)
  })
})

describe('secrets', () => {
  const key = 'sk-proj-Zx81kfLQ02mmabcd'
  const leaks: readonly (readonly [string, LogFields | string])[] = [
    ['an authorization field', { authorization: `Bearer ${key}` }],
    ['a header in another case', { 'X-Api-Key': key }],
    ['a Gemini header', { 'x-goog-api-key': key }],
    ['a dumped header', { note: `{"authorization":"Bearer ${key}","accept":"*/*"}` }],
    ['a dumped raw header', { note: `Authorization: Bearer ${key}\r\nHost: x` }],
    ['a key in a query', { url: `https://generativelanguage.googleapis.com/v1beta/models/g:generateContent?alt=sse&key=${key}&x=1` }],
    ['an api-key in a query', { url: `https://x.openai.azure.com/a?api-key=${key}` }],
    ['a password in a URL', { url: `postgres://bursar:${key}@db:5432/bursar` }],
    ['the message itself', `calling with Bearer ${key} now`],
    ['an error message', { error: new Error(`connect to https://a.b/?key=${key} failed`) }],
    [
      "an error's cause",
      { error: new Error('outer', { cause: new BursarError(`Bearer ${key}`, { code: 'internal_error', status: 500 }) }) },
    ],
    ['a bare key', { note: `key ${key} was refused` }],
  ]
  for (const [what, leak] of leaks)
    it(`never appear in ${what}`, () => {
      const { logger, text } = capture()
      if (typeof leak === 'string') logger.info(leak)
      else logger.error('trouble', leak)
      expect(text()).not.toContain(key)
      expect(text()).not.toContain('Zx81kfLQ02mm')
    })

  it('of any shape never appear once they are known, encoded ones included', () => {
    fc.assert(
      fc.property(
        fc
          .string({ unit: 'grapheme-ascii', minLength: 4, maxLength: 40 })
          .filter((text) => !'[secret]'.includes(text) && !/[[\]|]/.test(text)),
        fc.string(),
        (secret, around) => {
          const scrub = createScrubber([secret])
          expect(scrub.text(`${around}|${secret}|${around}`)).not.toContain(secret)
          expect(scrub.text(`?k=${encodeURIComponent(secret)}`)).not.toContain(encodeURIComponent(secret))
        },
      ),
    )
    const { logger, text } = capture({ secrets: ['hunter22'] })
    const child = logger.child({ request_id: 'a' })
    child.info('with hunter22', { note: 'hunter22 and swordfish' })
    logger.keepSecret('swordfish')
    child.info('later swordfish')
    expect(text()).not.toContain('hunter22')
    expect(text().match(/swordfish/g)).toHaveLength(1) // only the line from before it was known
  })

  it('leave what is no secret readable', () => {
    const scrub = createScrubber()
    for (const plain of [
      'model openai/gpt-5-mini answered 200 in 0.31 s',
      'GET https://api.openai.com/v1/models?limit=20&after=gpt-4o',
      'listening on http://127.0.0.1:8787',
      'max_tokens 4096, input_tokens 12, keyed by tenant',
      'deployment azure/gpt-4o-mini-2024-07-18 rests for 30 s',
    ])
      expect(scrub.text(plain)).toBe(plain)
  })

  it('wrapped in a Secret stay hidden', () => {
    const { logger, text } = capture()
    logger.info('configured', { note: `${new Secret('hunter22')}` })
    expect(text()).not.toContain('hunter22')
  })
})

describe('content', () => {
  const words = 'my grandmother lives at 12 Elm Street'

  it('never appears through fields that hold it', () => {
    const { logger, text } = capture()
    for (const name of [
      'content',
      'messages',
      'prompt',
      'input',
      'output',
      'body',
      'request_body',
      'arguments',
      'text',
      'reasoning',
      'tool_calls',
    ])
      logger.info('x', { [name]: words })
    expect(text()).not.toContain('grandmother')
  })

  it('never appears through values that got past the compiler', () => {
    const { logger, text } = capture()
    const sneaked = { request: { messages: [{ content: words }] }, list: [words] } as unknown as LogFields
    logger.info('x', sneaked)
    expect(text()).not.toContain('grandmother')
  })

  it('never appears through errors that quote it', () => {
    const { logger, text } = capture()
    const thrown: unknown[] = [
      new InvalidRequest(`role must be one of user, assistant; got "${words}"`, { path: 'messages[0].role' }),
      new UpstreamFailure(`The provider said: Invalid prompt: ${words}`, {
        code: 'upstream_rejected',
        status: 400,
        upstreamStatus: 400,
        retryable: false,
        phase: 'request',
        body: Buffer.from(words),
      }),
    ]
    for (const trouble of [() => void JSON.parse(`{"a":${words}`), () => void BigInt(words)])
      try {
        trouble()
      } catch (caught) {
        thrown.push(caught)
      }
    expect(thrown).toHaveLength(4)
    for (const error of thrown) if (error instanceof Error) logger.error('failed', { error: new Error('outer', { cause: error }) })
    expect(text()).not.toContain('grandmother')
    expect(text()).toContain('"path":"messages[0].role"')
    expect(text()).toContain('"code":"upstream_rejected"')
  })

  it('is kept out while the place of a bug is told', () => {
    const { logger, last } = capture()
    const bug = (): never => {
      throw new TypeError(`Cannot create property 'x' on string '${words}'`)
    }
    try {
      bug()
    } catch (caught) {
      if (caught instanceof Error) logger.error('bug', { error: caught })
    }
    const { error } = last() as { error: { message: string; frames: string[] } }
    expect(error.message).toBe('Cannot create property "…" on string "…"')
    expect(error.frames[0]).toContain('log.test.ts')
    expect(JSON.stringify(error)).not.toContain('grandmother')
  })
})

describe('the buffered destination', () => {
  it('is written out when the process ends, even by process.exit', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'bursar-log-'))
    try {
      const script = join(folder, 'talk.mts')
      const module = new URL('./log.ts', import.meta.url).href
      await writeFile(
        script,
        `import { createLogger } from ${JSON.stringify(module)}\nconst log = createLogger()\nfor (let n = 0; n < 500; n++) log.info('line', { n })\nprocess.exit(3)\n`,
      )
      const done = await promisify(execFile)(process.execPath, ['--import', import.meta.resolve('tsx'), script]).catch(
        (fault: unknown) => fault,
      )
      const { stderr, code } = done as { stderr: string; code: number }
      expect(code).toBe(3)
      const numbers = stderr
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { n: number }).n)
      expect(numbers).toEqual(Array.from({ length: 500 }, (_, n) => n))
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
