import { chatReply, chatStream, openaiError } from '../../test/upstream/index.js'
import { figure } from '../report.js'
import { chat, fail, judge, pass, sleep, streamed, type Check } from './check.js'
import { at, call, hasDone, parsed, type Answer } from './client.js'

/** Whether the body is an error as OpenAI's clients read it: JSON with `error.message`. */
export function isErrorBody(answer: Answer): boolean {
  return (
    typeof at(parsed(answer.body), 'error', 'message') === 'string' && (answer.headers['content-type'] ?? '').includes('application/json')
  )
}

function describe(answer: Answer): string {
  if (answer.end === 'gave up') return 'no answer'
  if (answer.status === 0) return 'connection broken'
  return `${answer.status}${answer.status < 400 ? '' : isErrorBody(answer) ? '' : ", not in OpenAI's error form"}`
}

const answered = (answer: Answer) => answer.status === 200 && at(parsed(answer.body), 'choices', 0, 'finish_reason') === 'stop'

export const faultChecks: readonly Check[] = [
  {
    id: 'retry-429',
    group: 'faults',
    expects: 'a 429 with "retry-after: 1", then an answer: 200 after waiting that second',
    async run(subject, upstream) {
      upstream.enqueue(openaiError(429, 'slow down', 'rate_limit_exceeded', { 'retry-after': '1' }))
      const answer = await call(subject, { body: chat(subject) })
      const gap = (upstream.requests[1]?.arrivedAt ?? NaN) - (upstream.requests[0]?.arrivedAt ?? NaN)
      return judge(
        answered(answer) && gap >= 900,
        `${describe(answer)}, ${upstream.requests.length} attempts${Number.isNaN(gap) ? '' : `, ${figure(gap / 1_000, 1)} s apart`}`,
      )
    },
  },
  {
    id: 'retry-500',
    group: 'faults',
    expects: 'a 500, then an answer: 200',
    async run(subject, upstream) {
      upstream.enqueue(openaiError(500, 'oops'))
      const answer = await call(subject, { body: chat(subject) })
      return judge(answered(answer), `${describe(answer)}, ${upstream.requests.length} attempts`)
    },
  },
  {
    id: 'retry-stream',
    group: 'faults',
    expects: 'a 503 before a stream, then the stream: 200, whole',
    async run(subject, upstream) {
      upstream.enqueue(openaiError(503, 'overloaded'))
      const answer = await call(subject, { body: chat(subject, streamed) })
      return judge(answer.status === 200 && hasDone(answer.body), `${describe(answer)}, ${upstream.requests.length} attempts`)
    },
  },
  {
    id: 'retry-after-hour',
    group: 'faults',
    expects: 'a 429 that asks for an hour: told at once, with retry-after',
    async run(subject, upstream) {
      upstream.always('/chat/completions', openaiError(429, 'slow down', 'rate_limit_exceeded', { 'retry-after': '3600' }))
      const answer = await call(subject, { body: chat(subject), patienceMs: 10_000 })
      const told = answer.headers['retry-after']
      return judge(
        answer.status === 429 && told !== undefined && answer.totalMs < 5_000,
        `${describe(answer)}, ${told === undefined ? 'no retry-after' : `retry-after ${told}`}, ${figure(answer.totalMs / 1_000, 1)} s`,
      )
    },
  },
  {
    id: 'refused-once',
    group: 'faults',
    expects: 'connections refused for 0.2 s: 200',
    async run(subject, upstream) {
      upstream.disconnect()
      await upstream.refuse()
      const waiting = call(subject, { body: chat(subject) })
      await sleep(200)
      await upstream.listen()
      const answer = await waiting
      return judge(answered(answer), describe(answer))
    },
  },
  {
    id: 'hang-up-once',
    group: 'faults',
    expects: "an upstream that hangs up before answering: an answer on another try, or a 5xx with an error in OpenAI's form",
    async run(subject, upstream) {
      upstream.enqueue({ hangUp: true })
      const answer = await call(subject, { body: chat(subject) })
      return judge(answered(answer) || (answer.status >= 500 && isErrorBody(answer)), describe(answer))
    },
  },
  {
    id: 'garbage',
    group: 'faults',
    expects: "an upstream that talks no HTTP: a 5xx with an error in OpenAI's form",
    async run(subject, upstream) {
      upstream.always('/chat/completions', { garbage: 'SSH-2.0-OpenSSH_9.2\r\n' })
      const answer = await call(subject, { body: chat(subject) })
      return judge(answer.status >= 500 && isErrorBody(answer), describe(answer))
    },
  },
  {
    id: 'half-json',
    group: 'faults',
    expects: "a 200 whose JSON breaks off: a 5xx with an error in OpenAI's form, not half an answer",
    async run(subject, upstream) {
      upstream.always('/chat/completions', {
        body: Buffer.from('{"id":"x","object":"chat.completion","choices":[{"index":0,"mess'),
        headers: { 'content-type': 'application/json' },
      })
      const answer = await call(subject, { body: chat(subject) })
      return judge(answer.status >= 500 && isErrorBody(answer), describe(answer))
    },
  },
  {
    id: 'short-body',
    group: 'faults',
    expects: 'a connection that breaks inside a whole answer: not a clean 200',
    async run(subject, upstream) {
      upstream.always('/chat/completions', { ...chatReply(), contentLength: 100_000, thenDestroy: true })
      const answer = await call(subject, { body: chat(subject) })
      return judge(answer.end === 'broken' || answer.status >= 500, answer.end === 'broken' ? 'connection broken' : describe(answer))
    },
  },
  {
    id: 'passes-4xx',
    group: 'faults',
    expects: "the upstream's refusal reaches the caller: its status, message and field, without another try",
    async run(subject, upstream) {
      upstream.always('/chat/completions', {
        status: 400,
        body: {
          error: {
            message: 'max_tokens is too large: 99999999',
            type: 'invalid_request_error',
            param: 'max_tokens',
            code: 'invalid_value',
          },
        },
      })
      const answer = await call(subject, { body: chat(subject, { max_tokens: 99_999_999 }) })
      const error = at(parsed(answer.body), 'error')
      const good =
        answer.status === 400 && String(at(error, 'message')).includes('max_tokens is too large') && at(error, 'param') === 'max_tokens'
      return judge(
        good && upstream.requests.length === 1,
        `${describe(answer)}, param ${String(at(error, 'param'))}, ${upstream.requests.length} attempts`,
      )
    },
  },
  {
    id: 'stall-first',
    group: 'faults',
    expects: 'an upstream that takes the request and stays silent: another try or a 408/504 (limit 2 s where it can be set)',
    async run(subject, upstream) {
      upstream.enqueue({ neverAnswer: true })
      const answer = await call(subject, { body: chat(subject, streamed), patienceMs: 12_000 })
      if (answer.end === 'gave up') return fail('still waiting after 12 s')
      const good =
        (answer.status === 200 && hasDone(answer.body)) || ((answer.status === 408 || answer.status === 504) && isErrorBody(answer))
      return judge(good, `${describe(answer)} after ${figure(answer.totalMs / 1_000, 1)} s, ${upstream.requests.length} attempts`)
    },
  },
  {
    id: 'stall-headers',
    group: 'faults',
    expects: 'an upstream that sends headers and no event: the same',
    async run(subject, upstream) {
      upstream.enqueue({ ...chatStream(), stallAfter: 0 })
      const answer = await call(subject, { body: chat(subject, streamed), patienceMs: 12_000 })
      if (answer.end === 'gave up') return fail('still waiting after 12 s')
      if (answer.status === 200 && hasDone(answer.body))
        return pass(`200 after ${figure(answer.totalMs / 1_000, 1)} s, ${upstream.requests.length} attempts`)
      const refused = (answer.status === 408 || answer.status === 504) && isErrorBody(answer)
      return judge(refused, `${describe(answer)}, ${answer.end} end`)
    },
  },
]
