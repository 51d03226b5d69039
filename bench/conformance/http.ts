import { chatReply } from '../../test/upstream/index.js'
import { chat, fail, judge, type Check } from './check.js'
import { at, call, parsed, raw } from './client.js'
import { isErrorBody } from './faults.js'

export const httpChecks: readonly Check[] = [
  {
    id: 'hop-by-hop-out',
    group: 'http',
    expects: 'hop-by-hop headers, cookies and proxy credentials of the caller are not sent on',
    async run(subject, upstream) {
      const headers = {
        connection: 'close, x-hop-secret',
        'x-hop-secret': '1',
        'keep-alive': 'timeout=99',
        te: 'trailers',
        'proxy-authorization': 'Basic aGk6aGk=',
        cookie: 'session=1',
        upgrade: 'h2c',
      }
      const answer = await call(subject, { body: chat(subject), headers })
      if (upstream.requests.length === 0) return fail(`not sent on at all (${answer.status})`)
      const leaked = ['x-hop-secret', 'te', 'proxy-authorization', 'cookie', 'upgrade'].filter(
        (name) => upstream.last.headers[name] !== undefined,
      )
      if (upstream.last.headers['keep-alive'] === 'timeout=99') leaked.push('keep-alive')
      return judge(leaked.length === 0, leaked.length === 0 ? 'none sent on' : `sent on: ${leaked.join(', ')}`)
    },
  },
  {
    id: 'hop-by-hop-back',
    group: 'http',
    expects: 'hop-by-hop headers and cookies of the upstream are not handed back',
    async run(subject, upstream) {
      upstream.enqueue({
        ...chatReply(),
        headers: { connection: 'x-hop-secret', 'x-hop-secret': '1', 'set-cookie': 'upstream=1', 'proxy-authenticate': 'Basic' },
      })
      const answer = await call(subject, { body: chat(subject) })
      const leaked = ['x-hop-secret', 'set-cookie', 'proxy-authenticate'].filter((name) => answer.headers[name] !== undefined)
      return judge(
        answer.status === 200 && leaked.length === 0,
        leaked.length === 0 ? `none handed back (${answer.status})` : `handed back: ${leaked.join(', ')}`,
      )
    },
  },
  {
    id: 'smuggling',
    group: 'http',
    expects: 'content-length beside transfer-encoding: refused, nothing sent on',
    async run(subject, upstream) {
      const key = Object.entries(subject.headers)
        .map(([name, value]) => `${name}: ${value}\r\n`)
        .join('')
      const { text } = await raw(
        subject,
        `POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\n${key}content-type: application/json\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: gateway\r\n\r\n`,
        2_000,
      )
      const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0)
      return judge(
        status >= 400 && status < 500 && upstream.requests.length === 0 && (text.match(/^HTTP\/1\.1 /gm)?.length ?? 0) <= 1,
        status === 0 ? 'connection closed without an answer' : String(status),
      )
    },
  },
  {
    id: 'big-headers',
    group: 'http',
    expects: 'a header of 200 kB: 431 or 400, nothing sent on',
    async run(subject, upstream) {
      const { text } = await raw(subject, `GET /v1/models HTTP/1.1\r\nhost: gateway\r\nx-big: ${'x'.repeat(200_000)}\r\n\r\n`, 3_000)
      const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0)
      return judge(
        (status === 431 || status === 400) && upstream.requests.length === 0,
        status === 0 ? 'connection closed without an answer' : String(status),
      )
    },
  },
  {
    id: 'options',
    group: 'http',
    expects: 'OPTIONS on an endpoint: answered, no 5xx, nothing sent on',
    async run(subject, upstream) {
      const answer = await call(subject, {
        method: 'OPTIONS',
        headers: { origin: 'https://example.com', 'access-control-request-method': 'POST' },
        patienceMs: 5_000,
      })
      return judge(
        answer.status >= 200 && answer.status < 500 && upstream.requests.length === 0,
        answer.status === 0 ? 'no answer' : String(answer.status),
      )
    },
  },
  {
    id: 'head',
    group: 'http',
    expects: 'HEAD on the model list: answered without a body, no 5xx',
    async run(subject) {
      const answer = await call(subject, { method: 'HEAD', path: '/v1/models', patienceMs: 5_000 })
      return judge(
        answer.status >= 200 && answer.status < 500 && answer.body.length === 0,
        answer.status === 0 ? 'no answer' : String(answer.status),
      )
    },
  },
  {
    id: 'wrong-method',
    group: 'http',
    expects: "GET on the chat endpoint: 404 or 405 with an error in OpenAI's form",
    async run(subject, upstream) {
      const answer = await call(subject, { method: 'GET', patienceMs: 5_000 })
      return judge(
        (answer.status === 404 || answer.status === 405) && isErrorBody(answer) && upstream.requests.length === 0,
        `${answer.status}${isErrorBody(answer) ? '' : ", not in OpenAI's error form"}${upstream.requests.length > 0 ? ', sent on' : ''}`,
      )
    },
  },
  {
    id: 'unknown-path',
    group: 'http',
    expects: "an unknown path: 404 with an error in OpenAI's form",
    async run(subject) {
      const answer = await call(subject, { method: 'POST', path: '/v1/no/such/thing', body: {}, patienceMs: 5_000 })
      return judge(
        answer.status === 404 && isErrorBody(answer),
        `${answer.status}${isErrorBody(answer) ? '' : ", not in OpenAI's error form"}`,
      )
    },
  },
  {
    id: 'models',
    group: 'http',
    expects: 'GET /v1/models: a list of models',
    async run(subject) {
      const answer = await call(subject, { path: '/v1/models', patienceMs: 5_000 })
      const list = at(parsed(answer.body), 'data')
      return judge(answer.status === 200 && Array.isArray(list), Array.isArray(list) ? `${list.length} models` : String(answer.status))
    },
  },
]
