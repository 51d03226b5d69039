// How a gateway behaves when something goes wrong, as a table. Each check scripts an upstream in this process and calls the
// gateway as a client would.
// Usage: npm run bench:conformance                       Bursar, and Portkey when it is installed under bench/peers
//        npm run bench:conformance -- --base-url URL --header 'authorization: Bearer …' [--model mock] [--upstream-port 9901]
//                                                        any gateway that sends `model` on to http://127.0.0.1:UPSTREAM-PORT/v1
//        [--only ID,ID] [--no-keys] [--json FILE]
import { startUpstream, type Upstream } from '../test/upstream/index.js'
import { accountingChecks } from './conformance/accounting.js'
import type { Check, Outcome } from './conformance/check.js'
import type { Subject } from './conformance/client.js'
import { faultChecks } from './conformance/faults.js'
import { httpChecks } from './conformance/http.js'
import { requestChecks } from './conformance/requests.js'
import { streamChecks } from './conformance/streams.js'
import type { Child } from './gateway/children.js'
import { benchKey, benchPrices, missing, startBursar, startPortkey } from './gateway/targets.js'
import { benchOptions } from './options.js'
import { commandLine, packageVersion, table, writeReport } from './report.js'

const say = (text: string) => process.stderr.write(`${text}\n`)
const checks: readonly Check[] = [...streamChecks, ...faultChecks, ...requestChecks, ...accountingChecks, ...httpChecks]

async function main(): Promise<number> {
  const { values } = benchOptions('bench:conformance', 'How a gateway behaves when something goes wrong, as a table.', {
    'base-url': {
      type: 'string',
      takes: 'url',
      about: 'this gateway, which sends the model on to http://127.0.0.1:UPSTREAM-PORT/v1 (default: ours)',
    },
    header: { type: 'string', takes: 'line', multiple: true, about: 'with --base-url: a header to send, such as a key', default: [] },
    model: { type: 'string', takes: 'name', about: 'with --base-url: the model to name', default: 'mock' },
    name: { type: 'string', takes: 'name', about: 'with --base-url: what the gateway is called in the table', default: 'gateway' },
    'no-keys': { type: 'boolean', about: 'with --base-url: it checks no keys', default: false },
    'upstream-port': { type: 'string', takes: 'port', about: 'where the scripted upstream listens (9901 with --base-url, else any)' },
    only: { type: 'string', takes: 'list', about: 'only these checks' },
    json: { type: 'string', takes: 'file', about: 'also write the report as JSON' },
  })
  const startedAt = performance.now()
  const only = values.only?.split(',')
  const unknown = only?.filter((id) => !checks.some((check) => check.id === id)) ?? []
  if (unknown.length > 0) throw new Error(`no such check: ${unknown.join(', ')}. There are: ${checks.map((check) => check.id).join(', ')}`)
  const chosen = checks.filter((check) => only === undefined || only.includes(check.id))
  const baseUrl = values['base-url']
  const upstream = await startUpstream({ port: Number(values['upstream-port'] ?? (baseUrl === undefined ? 0 : 9901)) })
  const children: Child[] = []
  try {
    const subjects: Subject[] = []
    if (baseUrl !== undefined) {
      say(`the gateway has to send "${values.model}" on to ${upstream.url}/v1`)
      subjects.push({
        name: values.name,
        url: baseUrl.replace(/\/(?:v1\/?)?$/, ''),
        headers: headersOf(values.header),
        model: values.model,
        hasKeys: !values['no-keys'],
      })
    } else {
      subjects.push(...(await ourSubjects(upstream, children)))
      if (subjects.length === 0) return 2
    }

    const outcomes = new Map<string, Outcome[]>()
    for (const subject of subjects)
      for (const check of chosen) {
        const outcome = await runCheck(check, subject, upstream)
        say(`${subject.name}  ${check.id}: ${outcome.verdict} (${outcome.seen})`)
        outcomes.set(check.id, [...(outcomes.get(check.id) ?? []), outcome])
      }
    console.log(
      `\n${table(
        ['check', 'expects', ...subjects.map((subject) => subject.name)],
        chosen.map((check) => [check.id, check.expects, ...(outcomes.get(check.id) ?? []).map(cell)]),
      )}\n`,
    )
    const tally = subjects.map((subject, index) => {
      const of = (verdict: Outcome['verdict']) => chosen.filter((check) => outcomes.get(check.id)?.[index]?.verdict === verdict).length
      return { name: subject.name, pass: of('pass'), fail: of('fail'), notApplicable: of('n.a.') }
    })
    for (const one of tally) console.log(`${one.name}: ${one.pass} pass, ${one.fail} fail, ${one.notApplicable} n.a. of ${chosen.length}`)
    if (values.json !== undefined) {
      const of = (index: number) =>
        Object.fromEntries(chosen.map((check) => [check.id, { expects: check.expects, ...outcomes.get(check.id)?.[index] }]))
      const all = subjects.map((subject, index) => ({ name: subject.name, checks: of(index), ...tally[index] }))
      writeReport(values.json, {
        command: commandLine('bench:conformance'),
        seed: null,
        data: [],
        settings: { model: values.model, checks: chosen.map((check) => check.id), node: process.version },
        baselines: all.slice(1),
        results: all[0],
        seconds: (performance.now() - startedAt) / 1_000,
        version: packageVersion(),
      })
    }
    return (tally[0]?.fail ?? 0) > 0 ? 1 : 0
  } finally {
    await Promise.all(children.map((child) => child.stop()))
    await upstream.close()
  }
}

/** Bursar as it is built, and Portkey as its package starts it; both told to retry and to give up on silence, as far as they can be. */
async function ourSubjects(upstream: Upstream, children: Child[]): Promise<readonly Subject[]> {
  const subjects: Subject[] = []
  const authorization = { authorization: `Bearer ${benchKey}` }
  for (const name of ['bursar', 'portkey'] as const) {
    const why = missing(name)
    if (why !== undefined) {
      say(`skipped: ${why}`)
      continue
    }
    if (name === 'bursar') {
      const config = {
        server: { keep_alive_seconds: 1 },
        timeouts: { first_token_seconds: 2, idle_seconds: 3 },
        // The checks make faults on purpose; a deployment that rests would make one check spoil the next.
        cooldown: { after_faults: 1_000 },
        // A model that isn't listed then doesn't exist, as far as Bursar goes.
        allow_unlisted_models: false,
        models: { mock: { deployments: [{ provider: 'up', model: 'mock' }], prices: benchPrices } },
      }
      const child = await startBursar(upstream.url, { config })
      children.push(child)
      subjects.push({ name, url: child.url, headers: authorization, model: 'mock', hasKeys: true })
    } else {
      const child = await startPortkey()
      children.push(child)
      // Its retries are off by default; here it is shown at its best.
      const config = {
        provider: 'openai',
        custom_host: `${upstream.url}/v1`,
        retry: { attempts: 2, on_status_codes: [429, 500, 502, 503, 504], use_retry_after_header: true },
        request_timeout: 4_000,
      }
      subjects.push({
        name,
        url: child.url,
        headers: {
          ...authorization,
          'x-portkey-provider': 'openai',
          'x-portkey-custom-host': `${upstream.url}/v1`,
          'x-portkey-config': JSON.stringify(config),
        },
        model: 'mock',
        hasKeys: false,
      })
    }
  }
  return subjects
}

async function runCheck(check: Check, subject: Subject, upstream: Upstream): Promise<Outcome> {
  upstream.disconnect()
  upstream.reset()
  upstream.forget()
  try {
    return await check.run(subject, upstream)
  } catch (fault) {
    return { verdict: 'fail', seen: `the check itself failed: ${fault instanceof Error ? fault.message : String(fault)}` }
  }
}

function cell(outcome: Outcome): string {
  const text = outcome.seen.replaceAll('|', '\\|').replaceAll('\n', ' ').slice(0, 90)
  return `${outcome.verdict === 'fail' ? '**FAIL**' : outcome.verdict}: ${text}`
}

function headersOf(lines: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(':')
      if (colon < 1) throw new Error(`--header takes "name: value", not "${line}"`)
      return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()]
    }),
  )
}

main().then(
  (code) => process.exit(code),
  (fault: unknown) => {
    say(`bench:conformance: ${fault instanceof Error ? fault.message : String(fault)}`)
    process.exit(2)
  },
)
