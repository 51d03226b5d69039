import { chatStream, words, type ReceivedRequest, type Upstream } from '../../test/upstream/index.js'
import { figure, median } from '../report.js'
import { chat, eventually, fail, judge, pass, sleep, streamed, type Check, type Outcome } from './check.js'
import { at, call, eventData, hasDone, hasErrorEvent, open, parsed, streamedText, type Answer, type Subject } from './client.js'

const TRIES = 5
/** How soon an upstream must hear that a caller has left. */
const ABORT_MS = 1_000

async function abortTimes(
  subject: Subject,
  upstream: Upstream,
  body: Record<string, unknown>,
  ready: (call: ReturnType<typeof open>, count: number) => Promise<boolean>,
): Promise<Outcome> {
  const times: number[] = []
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const under = open(subject, { body })
    if (!(await ready(under, attempt + 1))) {
      under.leave()
      return fail('the answer did not begin')
    }
    const leftAt = performance.now()
    under.leave()
    const received: ReceivedRequest | undefined = upstream.requests[attempt]
    if (await eventually(() => received?.abortedAt !== undefined, ABORT_MS)) times.push((received?.abortedAt ?? NaN) - leftAt)
  }
  return judge(
    times.length === TRIES,
    `upstream told ${times.length}/${TRIES}${times.length > 0 ? `, after ${figure(median(times), 1)} ms` : ''}`,
  )
}

/** An upstream that broke off must not look like an answer that is complete. */
function visibleBreak(answer: Answer): Outcome {
  const events = eventData(answer.body).length
  const error = hasErrorEvent(answer.body)
  const seen = `${answer.end} end after ${events} events, ${error ? 'error event' : 'no error event'}${hasDone(answer.body) ? ', [DONE]' : ''}`
  return judge((error || answer.end === 'broken') && !hasDone(answer.body), seen)
}

export const streamChecks: readonly Check[] = [
  {
    id: 'abort-stream',
    group: 'streams',
    expects: 'a caller that leaves a stream: the upstream hears it within 1 s, 5 of 5',
    run: (subject, upstream) => {
      upstream.always('/chat/completions', { ...chatStream({ text: words(200) }), gapMs: 20 })
      return abortTimes(subject, upstream, chat(subject, streamed), (under) => under.until((body) => body.split('data:').length > 3, 5_000))
    },
  },
  {
    id: 'abort-whole',
    group: 'streams',
    expects: 'a caller that leaves before a whole answer: the same',
    run: (subject, upstream) => {
      upstream.always('/chat/completions', { neverAnswer: true })
      return abortTimes(subject, upstream, chat(subject), (_, count) => eventually(() => upstream.requests.length >= count, 5_000))
    },
  },
  {
    id: 'first-token',
    group: 'streams',
    expects: 'no fixed delay before the first token: less than 5 ms added (median of 25 pairs)',
    async run(subject, upstream) {
      upstream.always('/chat/completions', { ...chatStream({ text: words(8) }), gapMs: 2 })
      const added: number[] = []
      for (let pair = 0; pair < 27; pair++) {
        const direct = await call({ url: upstream.url, headers: subject.headers }, { body: chat(subject, streamed) })
        const through = await call(subject, { body: chat(subject, streamed) })
        if (pair > 1) added.push(through.firstByteMs - direct.firstByteMs)
      }
      return judge(median(added) < 5, `${figure(median(added), 1)} ms added`)
    },
  },
  {
    id: 'flows',
    group: 'streams',
    expects: 'each event goes out as it comes: seen while the upstream is silent after it',
    async run(subject, upstream) {
      let resume = () => {}
      upstream.enqueue({
        ...chatStream({ text: ['first ', 'second ', 'third '] }),
        stallAfter: 3,
        resume: new Promise<void>((resolve) => (resume = resolve)),
      })
      const under = open(subject, { body: chat(subject, streamed) })
      const seen = await under.until((body) => body.includes('second'), 1_500)
      resume()
      const answer = await under.answer
      return judge(seen && hasDone(answer.body), seen ? 'seen during the silence' : 'held back')
    },
  },
  {
    id: 'bytes',
    group: 'streams',
    expects: "the stream's bytes as the upstream sent them, apart from the usage event",
    async run(subject, upstream) {
      const script = chatStream({ text: ['Plain, ', 'ünïcode, ', '"quotes" & \\slashes, ', '<tags> ', '🦊 ', ' and\nlines'] })
      const odd = (script.events ?? []).map((event, index) =>
        index === 2 ? event.toString().replace('"choices"', '"x_unknown":{"b":1,"a":[1.0,2e3]},"choices"') : event.toString(),
      )
      upstream.enqueue({ ...script, events: odd })
      const answer = await call(subject, { body: chat(subject, streamed) })
      const received = answer.body.toString()
      if (received === odd.join('')) return pass('identical')
      const noUsage = (text: string) =>
        text
          .split(/(?<=\n\n)/)
          .filter((event) => !/"usage":\{/.test(event))
          .join('')
      if (noUsage(received) === noUsage(odd.join(''))) return pass('identical apart from usage')
      return fail(
        streamedText(answer.body) === streamedText(Buffer.from(odd.join('')))
          ? 'same text, other bytes'
          : `text differs (${answer.status}, ${answer.end})`,
      )
    },
  },
  {
    id: 'odd-sse',
    group: 'streams',
    expects: 'legal but unusual events (comments, CRLF, no space after "data:", ids) keep their text',
    async run(subject, upstream) {
      const script = chatStream({ text: ['one ', 'two ', 'three ', 'four '] })
      const odd = (script.events ?? []).map((event, index) => {
        const text = event.toString()
        if (index === 1) return `: still here\n\nid: 7\nretry: 100\n${text}`
        if (index === 2) return text.replace('data: ', 'data:')
        if (index === 3) return text.replaceAll('\n', '\r\n')
        return text
      })
      upstream.enqueue({ ...script, events: odd })
      const answer = await call(subject, { body: chat(subject, streamed) })
      const text = streamedText(answer.body)
      return judge(
        text === 'one two three four ' && hasDone(answer.body),
        text === 'one two three four ' ? 'text kept' : `text became "${text}" (${answer.status})`,
      )
    },
  },
  {
    id: 'split-bytes',
    group: 'streams',
    expects: 'an upstream that sends one byte at a time changes nothing',
    async run(subject, upstream) {
      upstream.enqueue({ ...chatStream({ text: ['ß', '🦊', '漢字', ' end'] }), chunking: 'bytes' })
      const answer = await call(subject, { body: chat(subject, streamed) })
      const text = streamedText(answer.body)
      return judge(text === 'ß🦊漢字 end' && hasDone(answer.body), text === 'ß🦊漢字 end' ? 'text kept' : `text became "${text}"`)
    },
  },
  {
    id: 'tool-deltas',
    group: 'streams',
    expects: 'deltas of parallel tool calls arrive one by one, byte for byte',
    async run(subject, upstream) {
      const pieces = ['{"city":', '"Zü', 'rich","n"', ':1.0', ',"q":"\\u00e9\\n"}']
      const script = chatStream({
        toolCalls: [
          { id: 'call_a', name: 'weather', arguments: pieces },
          { id: 'call_b', name: 'clock', arguments: ['{}'] },
        ],
      })
      upstream.enqueue(script)
      const tools = ['weather', 'clock'].map((name) => ({
        type: 'function',
        function: { name, parameters: { type: 'object', properties: {} } },
      }))
      const answer = await call(subject, { body: chat(subject, { ...streamed, tools }) })
      const deltas = (body: Buffer | string) =>
        eventData(body)
          .map((data) => JSON.stringify(at(parsed(data), 'choices', 0, 'delta', 'tool_calls')))
          .filter((text) => text !== undefined)
      const wanted = deltas((script.events ?? []).join(''))
      const got = deltas(answer.body)
      return judge(
        JSON.stringify(got) === JSON.stringify(wanted),
        `${got.length} of ${wanted.length} deltas${JSON.stringify(got) === JSON.stringify(wanted) ? ', identical' : ', different'}`,
      )
    },
  },
  {
    id: 'cut',
    group: 'streams',
    expects: 'an upstream that dies mid-stream: an error event or a broken connection, never a clean end or [DONE]',
    async run(subject, upstream) {
      upstream.enqueue({ ...chatStream({ text: words(40) }), destroyAfter: 10 })
      return visibleBreak(await call(subject, { body: chat(subject, streamed) }))
    },
  },
  {
    id: 'no-end-mark',
    group: 'streams',
    expects: 'a stream that ends without its end mark: the same',
    async run(subject, upstream) {
      upstream.enqueue(chatStream({ text: words(10), properEnd: false }))
      return visibleBreak(await call(subject, { body: chat(subject, streamed) }))
    },
  },
  {
    id: 'error-event',
    group: 'streams',
    expects: 'an error event of the upstream reaches the caller, without [DONE]',
    async run(subject, upstream) {
      const events = (chatStream({ text: words(3) }).events ?? []).slice(0, 3)
      upstream.enqueue({
        events: [...events, 'data: {"error":{"message":"the model fell over","type":"server_error","code":"overloaded"}}\n\n'],
      })
      const answer = await call(subject, { body: chat(subject, streamed) })
      return judge(
        hasErrorEvent(answer.body) && !hasDone(answer.body),
        `${hasErrorEvent(answer.body) ? 'error event' : 'no error event'}${hasDone(answer.body) ? ', [DONE]' : ''}`,
      )
    },
  },
  {
    id: 'stall-mid',
    group: 'streams',
    expects: 'an upstream that falls silent mid-stream is given up visibly (idle limit 3 s where it can be set)',
    async run(subject, upstream) {
      upstream.enqueue({ ...chatStream({ text: words(10) }), stallAfter: 4 })
      const answer = await call(subject, { body: chat(subject, streamed), patienceMs: 12_000 })
      return answer.end === 'gave up' ? fail('still waiting after 12 s') : visibleBreak(answer)
    },
  },
  {
    id: 'keep-alive',
    group: 'streams',
    expects: 'silence in a stream is filled with keep-alives (1 s where it can be set; 2.5 s of silence)',
    async run(subject, upstream) {
      upstream.enqueue({ ...chatStream({ text: ['a', 'b'] }), stallAfter: 2, resume: sleep(2_600) })
      const under = open(subject, { body: chat(subject, streamed) })
      await under.until((body) => body.includes('"a"'), 2_000)
      const before = under.soFar().length
      await sleep(2_300)
      const filler = under.soFar().slice(before)
      const answer = await under.answer
      if (filler === '') return fail('nothing')
      return judge(streamedText(answer.body) === 'ab' && hasDone(answer.body), `"${filler.trim().split('\n')[0] ?? ''}"`)
    },
  },
  {
    id: 'backpressure',
    group: 'streams',
    expects: 'a reader that stops reading: at most 16 MB of a 64 MB stream are taken from the upstream; all of it arrives later',
    async run(subject, upstream) {
      const filler = 'x'.repeat(64 * 1024 - 300)
      const script = chatStream({ text: Array.from({ length: 1_024 }, () => filler) })
      upstream.enqueue(script)
      const under = open(subject, { body: chat(subject, streamed), patienceMs: 60_000 })
      if (!(await under.until((body) => body.length > 1_000, 5_000))) return fail('the answer did not begin')
      under.pause()
      let taken = -1
      for (let quiet = 0; quiet < 4;) {
        await sleep(250)
        const now = upstream.last.bytesWritten
        quiet = now === taken ? quiet + 1 : 0
        taken = now
      }
      under.resume()
      const answer = await under.answer
      const arrived = streamedText(answer.body).length === filler.length * 1_024 && hasDone(answer.body)
      return judge(
        taken < 16 << 20 && arrived,
        `${figure(taken / (1 << 20), 1)} MB taken${arrived ? '' : `, but not all arrived (${answer.end})`}`,
      )
    },
  },
  {
    id: 'streams-200',
    group: 'streams',
    expects: '200 slow streams at once all arrive whole',
    async run(subject, upstream) {
      upstream.always('/chat/completions', { ...chatStream({ text: words(20) }), gapMs: 50 })
      const answers = await Promise.all(
        Array.from({ length: 200 }, () => call(subject, { body: chat(subject, streamed), patienceMs: 30_000 })),
      )
      const whole = answers.filter(
        (answer) => answer.status === 200 && streamedText(answer.body) === words(20).join('') && hasDone(answer.body),
      ).length
      return judge(whole === 200, `${whole}/200`)
    },
  },
]
