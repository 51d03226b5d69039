import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterAll, describe, expect, it } from 'vitest'
import { routeCommand } from '../../src/cli/commands/route.js'
import { trainCommand } from '../../src/cli/commands/train.js'
import { inspectConfig } from '../../src/gateway/index.js'

const folder = mkdtempSync(join(tmpdir(), 'bursar-route-'))
afterAll(() => rmSync(folder, { recursive: true }))
const sandbox = join(folder, 'bursar.yaml')
writeFileSync(sandbox, 'providers: {sandbox: }\nrouting: {predictor: {state: learned.routing}}\n')

/** Runs a command line in this process, with nothing of its environment. */
async function run(...line: string[]): Promise<{ readonly out: string; readonly err: string; readonly fault: unknown }> {
  let out = ''
  let err = ''
  const deps = {
    env: {},
    probe: () => Promise.reject(new Error('nothing there')),
    print: (text: string) => void (out += text),
    report: (text: string) => void (err += text),
    setExitCode: () => undefined,
    width: 80,
    now: () => 1_790_000_000,
  }
  const program = new Command('bursar').exitOverride().configureOutput({ writeErr: (text) => void (err += text) })
  routeCommand(program, { ...deps, open: (config) => inspectConfig(config, { learned: true }) })
  trainCommand(program, { ...deps, open: (config) => inspectConfig(config) })
  try {
    await program.parseAsync(line, { from: 'user' })
    return { out, err, fault: undefined }
  } catch (fault) {
    return { out, err, fault }
  }
}

describe('bursar route', () => {
  it('tells without any configuration what a question would get, and why', async () => {
    const { out, err, fault } = await run('route', 'Prove that there are infinitely many primes.', '--objective', 'cheap')
    expect(fault).toBeUndefined()
    expect(err).toBe('')
    expect(out).toMatch(/^"sandbox\/medium" answers: /)
    expect(out).toContain('The reference "sandbox/large"')
    expect(out).toMatch(/Nothing\s+was\s+called\./)
    for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
  })

  it('takes wishes as options', async () => {
    const { out } = await run('route', 'What is 2 + 2?', '--max-cost', '0.0002', '--json')
    expect(JSON.parse(out)).toMatchObject({ arm: 'sandbox/small', reference: 'sandbox/large' })
  })

  it('refuses an objective that there is not, by name', async () => {
    const { fault } = await run('route', 'x', '--objective', 'chep')
    expect(fault).toMatchObject({
      code: 'invalid_request',
      path: 'model',
      message: expect.stringContaining('"chep" is no objective') as string,
    })
  })
})

describe('bursar train', () => {
  const row = (index: number, quality: number) => ({
    id: String(index),
    request: {
      messages: [
        {
          role: 'user',
          content: index % 2 === 0 ? `Prove theorem ${index} about modules over rings.` : `What is the capital of country ${index}?`,
        },
      ],
    },
    outcomes: { small: { quality: quality, outputTokens: 20 }, 'sandbox/large': { quality: 1, outputTokens: 60 } },
  })

  it('learns from an outcome table what `bursar route` then goes by', async () => {
    const table = join(folder, 'outcomes.jsonl')
    writeFileSync(table, Array.from({ length: 200 }, (_, index) => `${JSON.stringify(row(index, index % 2))}\n`).join(''))
    const trained = await run('train', '--from', table, '--out', join(folder, 'learned.routing'), '-c', sandbox)
    expect(trained.fault).toBeUndefined()
    expect(trained.out).toMatch(/sandbox\/small +200 +0\.500 +yes/)
    expect(trained.out).toContain('200 rows')
    const armOf = async (question: string) =>
      (JSON.parse((await run('route', question, '--json', '-c', sandbox)).out) as { arm: string }).arm
    expect(await armOf('What is the capital of country 301?')).toBe('sandbox/small')
    expect(await armOf('Prove theorem 300 about modules over rings.')).toBe('sandbox/large')
  })

  it('names the row and the field that are wrong, and writes nothing', async () => {
    const table = join(folder, 'bad.jsonl')
    writeFileSync(table, `${JSON.stringify(row(0, 1))}\n${JSON.stringify(row(1, 1.5))}\n`)
    const { fault } = await run('train', '--from', table, '--out', join(folder, 'bad.routing'), '-c', sandbox)
    expect(String(fault)).toMatch(/bad\.jsonl.*row 2.*outcomes\.small\.quality/)
    expect(existsSync(join(folder, 'bad.routing'))).toBe(false)
  })

  it.each([
    [['--from', 'none.jsonl'], /none\.jsonl/],
    [['--from', 'none.jsonl', '--kind', 'oracle'], /no kind "oracle"/],
    [['--from', 'none.jsonl', '--seed', '-1'], /--seed/],
  ])('refuses %j', async (args, words) => {
    const { fault } = await run('train', ...args, '--out', join(folder, 'x'), '-c', sandbox)
    expect(String(fault)).toMatch(words)
  })
})
