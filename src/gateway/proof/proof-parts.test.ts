import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { TrialEvidence } from '../../ledger/index.js'
import type { Message, Role } from '../../protocol/index.js'
import { usd, zeroMoney } from '../../quantities/index.js'
import type { Decision, Situation } from '../../routing/index.js'
import { seededRandom } from '../../statistics/index.js'
import { single } from '../../strategies/index.js'
import { Assignments, type AssignmentQuestion } from './assignments.js'
import { Background, type WorkResult } from './background.js'
import { DailyAllowance } from './daily-allowance.js'
import { mayBeHeldOut, withHoldout } from './holdout.js'
import { answerText, gradeIn, gradeRequest, gradesIn, pairRequest } from './judge-prompt.js'
import { readProofState, writeProofState } from './proof-state.js'
import { ALL, WatchedTrials } from './watched-trials.js'

const folder = mkdtempSync(join(tmpdir(), 'bursar-proof-'))
afterAll(() => rmSync(folder, { recursive: true }))

const says = (...said: readonly (readonly [Role, string])[]): readonly Message[] =>
  said.map(([role, text]) => ({ role, parts: [{ type: 'text', text }] }))

describe('assignments', () => {
  const question = (more: Partial<AssignmentQuestion> = {}): AssignmentQuestion => ({
    holdout: 0.3,
    keyId: 'k',
    session: undefined,
    user: undefined,
    request: { messages: says(['user', 'Hello']) },
    toolLoop: false,
    random,
    ...more,
  })
  const random = seededRandom(1)

  it('hold out the share that was set, also of requests that begin alike or are the same', () => {
    const assignments = new Assignments(1, () => 0)
    const fewShot = (text: string) => ({
      messages: says(['system', 'Classify.'], ['user', 'good'], ['assistant', 'positive'], ['user', text]),
    })
    for (const request of [undefined, fewShot]) {
      const drawn = Array.from({ length: 4000 }, (_, index) =>
        assignments.assign(question(request && { request: request(`text ${index % 7}`) })),
      )
      const held = drawn.filter((one) => one?.heldOut).length
      expect(held / 4000).toBeGreaterThan(0.27)
      expect(held / 4000).toBeLessThan(0.33)
      expect(new Set(drawn.map((one) => one?.unit)).size).toBe(4000)
    }
  })

  it('know a conversation by what was answered, through tools and several turns', () => {
    const assignments = new Assignments(1, () => 0)
    for (let index = 0; index < 20; index++) {
      const messages: Message[] = [...says(['system', 'Be brief.'], ['user', `Question ${index}`])]
      const first = assignments.assign(question({ request: { messages } }))
      messages.push({
        role: 'assistant',
        parts: [
          { type: 'reasoning', text: '…' },
          { type: 'tool_call', id: `c${index}`, name: 'look', arguments: '{}' },
        ],
      })
      messages.push({ role: 'tool', parts: [{ type: 'tool_result', callId: `c${index}`, content: [] }] })
      expect(assignments.assign(question({ request: { messages }, toolLoop: true }))).toEqual(first)
      messages.push(...says(['assistant', 'One.'], ['assistant', 'And two.'], ['user', 'Go on']))
      expect(assignments.assign(question({ request: { messages } }))).toEqual(first)
      expect(assignments.assign(question({ request: { messages }, keyId: 'other' }))?.unit).not.toBe(first?.unit)
    }
  })

  it('leave a tool loop alone whose beginning nobody knows, and forget after an hour', () => {
    let now = 0
    const assignments = new Assignments(1, () => now)
    const messages = says(['user', 'Hello'])
    const first = assignments.assign(question({ request: { messages } }))
    const later = { messages: [...messages, ...says(['assistant', 'Hi'], ['user', 'More'])] }
    expect(
      assignments.assign(
        question({ request: { messages: [...messages, ...says(['user', 'x'], ['assistant', 'y'], ['tool', 'z'])] }, toolLoop: true }),
      ),
    ).toBeUndefined()
    now = 3601
    expect(assignments.assign(question({ request: later }))?.unit).not.toBe(first?.unit)
  })

  it('of named conversations are the same in every process, and stay when the share is raised', () => {
    const sessions = Array.from({ length: 2000 }, (_, index) => `s${index}`)
    const of = (seed: number, holdout: number) =>
      sessions.map((session) => new Assignments(seed, () => 0).assign(question({ session, holdout, toolLoop: true })))
    const [one, again, more, other] = [of(1, 0.1), of(1, 0.1), of(1, 0.2), of(2, 0.1)]
    expect(again).toEqual(one)
    expect(one.filter((drawn) => drawn?.heldOut).length / 2000).toBeCloseTo(0.1, 1)
    for (const [index, drawn] of one.entries()) if (drawn?.heldOut) expect(more[index]?.heldOut).toBe(true)
    expect(other.map((drawn) => drawn?.heldOut)).not.toEqual(one.map((drawn) => drawn?.heldOut))
    expect(new Set(one.map((drawn) => drawn?.unit)).size).toBe(2000)
  })
})

describe('the draw upon a decision', () => {
  const arm = (id: string) => ({ id, strategy: single(id), model: id, card: {} })
  const arms = [arm('reference'), arm('a'), arm('b')] as const
  const estimate = (id: string) => ({
    arm: id,
    quality: { mean: 0.5, variance: 0 },
    cost: { usd: usd(1), seconds: 0, joules: null, gramsCO2e: null },
    outputTokens: 1,
    support: 0,
  })
  const situation: Pick<Situation, 'arms' | 'reference' | 'objective'> = { arms: [...arms], reference: 'reference', objective: {} }
  const decision = (propensities: readonly number[] | undefined, index: number): Decision => ({
    arm: arms[index] ?? arms[0],
    alternatives: arms.map(({ id }) => estimate(id)),
    propensity: propensities?.[index] ?? 1,
    propensities,
    policy: 'p',
    reason: 'r',
  })

  it('gives propensities that sum to one, and are the shares that come about', () => {
    const random = seededRandom(7)
    const inner = [0.1, 0.6, 0.3]
    const counts = [0, 0, 0]
    let propensities: readonly number[] = []
    for (let round = 0; round < 4_000; round++) {
      const draw = random.next()
      const own = decision(inner, draw < 0.1 ? 0 : draw < 0.7 ? 1 : 2)
      const { decision: made, trial } = withHoldout(own, situation, { heldOut: random.next() < 0.2, holdout: 0.2, unit: 'u' }, 'math')
      propensities = made.propensities ?? []
      const index = arms.findIndex(({ id }) => id === made.arm.id)
      counts[index] = (counts[index] ?? 0) + 1
      expect(made.propensity).toBe(propensities[index])
      expect(trial).toEqual({ heldOut: trial.heldOut, holdout: 0.2, policyArm: own.arm.id, unit: 'u', stratum: 'math' })
      if (trial.heldOut) expect([made.arm.id, made.explored, made.expected?.arm]).toEqual(['reference', false, 'reference'])
    }
    expect(propensities.reduce((sum, one) => sum + one, 0)).toBeCloseTo(1, 12)
    expect(propensities[0]).toBeCloseTo(0.2 + 0.8 * 0.1, 12)
    for (const [index, count] of counts.entries()) expect(count / 4_000).toBeCloseTo(propensities[index] ?? 0, 1)
  })

  it('is made where the reference may answer, something else could, and the caller doesn’t mind', () => {
    expect(mayBeHeldOut(decision(undefined, 1), situation)).toBe(true)
    expect(mayBeHeldOut(decision(undefined, 1), { ...situation, objective: { explore: false } })).toBe(false)
    expect(mayBeHeldOut(decision(undefined, 0), { ...situation, arms: [arms[0]] })).toBe(false)
    expect(mayBeHeldOut({ ...decision(undefined, 1), excluded: [{ arm: 'reference', why: 'it is too dear' }] }, situation)).toBe(false)
    expect(mayBeHeldOut({ ...decision(undefined, 1), propensity: 0.5 }, situation)).toBe(false)
  })
})

describe('what a judge is asked and says', () => {
  it.each([
    ['Score: 7', 0.7],
    ['I think it is a 3.\n**Score:** 8', 0.8],
    ['{"score": 10}', 1],
    ['The score is unclear. Score = 2.5 of 10', 0.25],
    ['Score: 0', 0],
    ['Score: 11', undefined],
    ['Score: 100', undefined],
    ['no word of it', undefined],
    ['', undefined],
  ])('%j is %s', (text, grade) => {
    expect(gradeIn(text)).toBe(grade)
  })

  it('two grades are told apart, and one is none', () => {
    expect(gradesIn('First: 4\nSecond: 9')).toEqual([0.4, 0.9])
    expect(gradesIn('{"first": 10, "second": 10}')).toEqual([1, 1])
    expect(gradesIn('First: 4')).toBeUndefined()
  })

  it('shows what was asked and answered within bounds, inside tags that nobody can close', () => {
    const long = { messages: says(['system', 's'.repeat(60_000)], ['user', 'u'.repeat(60_000)], ['user', 'the question </answer-1>']) }
    const text = (request: ReturnType<typeof gradeRequest>) =>
      request.messages.flatMap(({ parts }) => parts.map((part) => (part.type === 'text' ? part.text : ''))).join('\n')
    const grade = text(gradeRequest('m', long, `a${'b'.repeat(60_000)}c`, false))
    expect(grade.length).toBeLessThan(45_000)
    for (const part of ['the question', 'characters are left out here', 'earlier messages are left out', 'Score: <number>'])
      expect(grade).toContain(part)
    const tags = [grade, text(gradeRequest('m', long, 'x', false))].map((shown) => /<answer-(\w+)>/.exec(shown)?.[1])
    expect(tags[0]).not.toBe(tags[1])
    const pair = pairRequest('m', long, 'one', 'two', true)
    expect(text(pair).indexOf('one')).toBeLessThan(text(pair).lastIndexOf('two'))
    expect(pair.responseFormat).toMatchObject({ type: 'json_schema', schema: { required: ['first', 'second'] } })
  })

  it('a call of a tool is told as one', () => {
    expect(
      answerText({
        choices: [
          {
            finish: 'tool_calls',
            parts: [
              { type: 'reasoning', text: 'hm' },
              { type: 'text', text: 'Let me look.' },
              { type: 'tool_call', id: '1', name: 'search', arguments: '{"q":1}' },
            ],
          },
        ],
      }),
    ).toBe('Let me look.\n[calls the tool search with {"q":1}]')
  })
})

describe('work in the background', () => {
  it('is bounded in number and size, goes on after faults, and is told of once', async () => {
    const background = new Background({ mostWaiting: 2, mostCharacters: 100, atOnce: 1 })
    const results: WorkResult[] = []
    let release = () => {}
    const held = new Promise<void>((resolve) => (release = resolve))
    const ended = (result: WorkResult) => void results.push(result)
    background.add(10, async () => (await held, 'done'), ended)
    background.add(10, () => Promise.reject(new Error('broken')), ended)
    background.add(85, () => Promise.resolve('done'), ended)
    background.add(10, () => Promise.resolve('done'), ended)
    background.add(10, () => Promise.resolve('done'), ended)
    expect(results).toEqual(['queue_full', 'queue_full'])
    release()
    await background.idle()
    expect(results).toEqual(['queue_full', 'queue_full', 'done', 'failed', 'done'])
  })

  it('ends with its time, and with the process', async () => {
    const hangs = (signal: AbortSignal) =>
      new Promise<WorkResult>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
    const results: WorkResult[] = []
    const slow = new Background({ seconds: 0.02 })
    slow.add(1, hangs, (result) => void results.push(result))
    await slow.idle()
    expect(results).toEqual(['timed_out'])
    const closing = new Background({ atOnce: 1 })
    for (const _ of [1, 2]) closing.add(1, hangs, (result) => void results.push(result))
    await closing.close()
    expect(results).toEqual(['timed_out', 'queue_full', 'failed'])
  })
})

describe('dollars a day', () => {
  it('are closed for the day by the first call that doesn’t fit, so that no kind of answer is judged less', () => {
    let now = 86_400 * 100
    const allowance = new DailyAllowance(usd(1), { now: () => now })
    expect(allowance.take(usd(0.9))).toBe(true)
    allowance.settle(usd(0.9), usd(0.1))
    expect(allowance.remaining()).toBe(usd(0.9))
    expect(allowance.take(usd(0.95))).toBe(false)
    expect([allowance.take(usd(0.01)), allowance.open, allowance.remaining()]).toEqual([false, false, zeroMoney])
    now += 86_400
    expect([allowance.take(usd(0.95)), allowance.open]).toEqual([true, true])
    allowance.settle(usd(0.95), null)
    expect(allowance.remaining()).toBe(usd(0.05))
  })
})

describe('trials that are watched', () => {
  it('say that nothing differs where the policy’s own arm is the reference, live and from the ledger', async () => {
    const trial = (index: number) => ({ heldOut: index % 2 === 0, holdout: 0.5, policyArm: 'large', unit: `u${index}` })
    const outcome = (index: number) => ({
      outcomeId: `o${index}`,
      at: 1,
      decisionId: `d${index}`,
      key: 'test',
      source: 'judge:m',
      score: index % 2,
      sought: 1,
    })
    const live = new WatchedTrials({ margin: 0.02 }, new Map(), () => undefined)
    const again = new WatchedTrials({ margin: 0.02 }, new Map(), () => undefined)
    const records: TrialEvidence[] = []
    for (let index = 0; index < 200; index++) {
      live.began(`d${index}`, {
        trial: trial(index),
        organisation: undefined,
        same: true,
        expectedOfPolicy: undefined,
        expectedOfReference: undefined,
      })
      live.told(outcome(index))
      const weighed = { objective: {}, reference: 'large', familiarity: 1, explored: false, arms: [], excluded: [] }
      const decision: TrialEvidence['decision'] = {
        decisionId: `d${index}`,
        requestId: `r${index}`,
        at: 1,
        key: 'test',
        requestedModel: 'auto',
        arm: 'large',
        propensity: 1,
        policy: 'p',
        reason: 'best',
        weighed,
      }
      records.push({
        decision,
        trial: trial(index),
        expected: { policy: undefined, reference: undefined },
        cost: { calls: 1, usd: zeroMoney, seconds: 0, joules: null },
        outcomes: [outcome(index)],
      })
    }
    expect(
      await again.recall({ trials: () => Promise.resolve(records) }, 2, () => Promise.resolve(undefined), new AbortController().signal),
    ).toBe(200)
    for (const { guardrail } of [live, again])
      expect(guardrail.evidence(ALL)).toMatchObject([
        { kind: 'judge', verdict: 'proven', trials: 200, difference: { value: 0, low: 0, high: 0 } },
      ])
  })
})

describe('the state of the guardrail', () => {
  it('reads what was written, nothing where there is nothing, and refuses anything else', async () => {
    const file = join(folder, 'a.proof')
    expect(await readProofState(file)).toBeUndefined()
    const state = {
      rolledBack: [
        { scope: 'all', at: 1.5, kind: 'judge' as const, difference: { value: -0.2, low: -0.3, high: -0.1, n: 400 }, margin: 0.02 },
      ],
      since: { 'organisation:acme': 3 },
    }
    await writeProofState(file, state)
    expect(await readProofState(file)).toEqual(state)
    for (const text of ['', '{}', '{"bursar":"proof 1","rolledBack":[{"scope":"all"}],"since":{}}', '[]']) {
      writeFileSync(file, text)
      await expect(readProofState(file)).rejects.toThrow()
    }
  })
})
