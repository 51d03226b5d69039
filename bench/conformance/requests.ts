import { openaiError, stringField } from '../../test/upstream/index.js'
import { chat, judge, notApplicable, type Check, type Outcome } from './check.js'
import { at, call, parsed, type Answer } from './client.js'
import { isErrorBody } from './faults.js'
import type { Upstream } from '../../test/upstream/index.js'

/** A refusal with an error in OpenAI's form before the upstream was bothered. */
function refused(answer: Answer, upstream: Upstream, statuses: readonly number[]): Outcome {
  const seen = `${answer.status === 0 ? (answer.end === 'gave up' ? 'no answer' : 'connection broken') : answer.status}${isErrorBody(answer) ? '' : ", not in OpenAI's error form"}${upstream.requests.length > 0 ? ', sent on' : ''}`
  return judge(statuses.includes(answer.status) && isErrorBody(answer) && upstream.requests.length === 0, seen)
}

const bytes = (text: string) => Buffer.from(text)

export const requestChecks: readonly Check[] = [
  {
    id: 'malformed-json',
    group: 'requests',
    expects: "JSON that breaks off: 400 with an error in OpenAI's form, nothing sent on",
    run: async (subject, upstream) =>
      refused(await call(subject, { body: bytes(`{"model":"${subject.model}","messages":[{"role":"user"`) }), upstream, [400, 422]),
  },
  {
    id: 'empty-body',
    group: 'requests',
    expects: 'an empty body: the same',
    run: async (subject, upstream) => refused(await call(subject, { method: 'POST', body: Buffer.alloc(0) }), upstream, [400, 422]),
  },
  {
    id: 'bad-utf8',
    group: 'requests',
    expects: 'a body that is not UTF-8: the same',
    async run(subject, upstream) {
      const body = Buffer.concat([
        bytes(`{"model":"${subject.model}","messages":[{"role":"user","content":"`),
        Buffer.from([0xc3, 0x28, 0xff]),
        bytes('"}]}'),
      ])
      return refused(await call(subject, { body }), upstream, [400, 422])
    },
  },
  {
    id: 'deep-nesting',
    group: 'requests',
    expects: '100,000 nested lists: a 4xx within 5 s, nothing sent on',
    async run(subject, upstream) {
      const body = bytes(
        `{"model":"${subject.model}","messages":[{"role":"user","content":"x"}],"metadata":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
      )
      const answer = await call(subject, { body, patienceMs: 5_000 })
      return refused(answer, upstream, [400, 413, 422])
    },
  },
  {
    id: 'huge-body',
    group: 'requests',
    expects: 'a body of 80 MB: 413, nothing sent on',
    async run(subject, upstream) {
      const answer = await call(subject, {
        body: chat(subject, { messages: [{ role: 'user', content: 'x'.repeat(80 << 20) }] }),
        patienceMs: 30_000,
      })
      // A server may hang up on the rest of the body; what counts is that it was not taken.
      if (answer.status === 0 && answer.end === 'broken' && upstream.requests.length === 0)
        return judge(true, 'connection closed, nothing sent on')
      return judge(
        answer.status === 413 && upstream.requests.length === 0,
        `${answer.status}${upstream.requests.length > 0 ? ', sent on' : ''}`,
      )
    },
  },
  {
    id: 'wrong-type',
    group: 'requests',
    expects: 'a field of the wrong type: a 4xx that names the field',
    async run(subject, upstream) {
      // A strict upstream says so itself; a gateway may leave it to that.
      upstream.always('/chat/completions', {
        status: 400,
        body: {
          error: {
            message: "Invalid type for 'messages': expected an array",
            type: 'invalid_request_error',
            param: 'messages',
            code: 'invalid_type',
          },
        },
      })
      const answer = await call(subject, { body: chat(subject, { messages: 'hello' }) })
      const param = at(parsed(answer.body), 'error', 'param')
      return judge(
        answer.status === 400 && isErrorBody(answer) && String(param).startsWith('messages'),
        `${answer.status}, param ${String(param)}`,
      )
    },
  },
  {
    id: 'duplicate-keys',
    group: 'requests',
    expects: 'a field given twice: refused, or only one of them is sent on (no two readings)',
    async run(subject, upstream) {
      const answer = await call(subject, {
        body: bytes(`{"model":"${subject.model}","messages":[{"role":"user","content":"a"}],"max_tokens":1,"max_tokens":1000000}`),
      })
      const sent = upstream.requests[0]?.body.toString()
      if (sent === undefined)
        return judge(answer.status >= 400 && answer.status < 500 && isErrorBody(answer), `refused with ${answer.status}`)
      const times = sent.match(/"max_tokens"/g)?.length ?? 0
      return judge(times === 1, `sent on with ${times} of 2`)
    },
  },
  {
    id: 'unknown-model',
    group: 'requests',
    expects: "a model that nobody has: 404 with an error in OpenAI's form",
    async run(subject, upstream) {
      upstream.always('/chat/completions', (request) =>
        stringField(request.json, 'model') === subject.model ? {} : openaiError(404, 'The model does not exist', 'model_not_found'),
      )
      const answer = await call(subject, { body: { ...chat(subject), model: 'no-such-model-here' } })
      return judge(
        answer.status === 404 && isErrorBody(answer),
        `${answer.status}, code ${String(at(parsed(answer.body), 'error', 'code'))}`,
      )
    },
  },
  {
    id: 'missing-key',
    group: 'requests',
    expects: "no key: 401 with an error in OpenAI's form, nothing sent on",
    async run(subject, upstream) {
      if (!subject.hasKeys) return notApplicable('has no keys of its own')
      return refused(
        await call(subject, { body: chat(subject), headers: { authorization: undefined, 'x-api-key': undefined } }),
        upstream,
        [401],
      )
    },
  },
  {
    id: 'wrong-key',
    group: 'requests',
    expects: 'a wrong key: the same',
    async run(subject, upstream) {
      if (!subject.hasKeys) return notApplicable('has no keys of its own')
      return refused(
        await call(subject, { body: chat(subject), headers: { authorization: 'Bearer sk-wrong-wrong-wrong' } }),
        upstream,
        [401],
      )
    },
  },
]
