import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { scoreCommand } from '../../src/cli/commands/score.js'
import { scoreMetrics } from '../../src/evaluation/index.js'
import { BursarError } from '../../src/errors/index.js'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bursar-score-cli-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

function write(name: string, lines: readonly (object | string)[]): string {
  const file = join(folder, name)
  writeFileSync(file, lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n'))
  return file
}

function outcomes(name: string, rows: number, extra: readonly (object | string)[] = []): string {
  const made = Array.from({ length: rows }, (_, index) => ({
    id: `q${index}`,
    category: index % 3 === 0 ? 'law' : 'physics',
    request: { messages: [{ role: 'user', content: 'x'.repeat(1 + (index % 4)) }] },
    outcomes: {
      'vendor/a-large-model-with-a-long-name': {
        quality: index % 10 === 0 ? 0 : 1,
        usd: 0.01,
        inputTokens: 50,
        outputTokens: 100 + index,
        seconds: 3,
      },
      'b/small': { quality: index % 5 < 3 ? 1 : 0, usd: 0.001, inputTokens: 50, outputTokens: 50, seconds: 1 },
    },
  }))
  return write(name, [...made, ...extra])
}

async function run(...args: string[]): Promise<{ out: string; err: string; code: number }> {
  const said = { out: '', err: '', code: 0 }
  const program = new Command()
    .exitOverride()
    .configureOutput({ writeErr: (text) => void (said.err += text), writeOut: (text) => void (said.out += text) })
  scoreCommand(program, {
    print: (text) => void (said.out += text),
    report: (text) => void (said.err += text),
    width: 80,
    signal: new AbortController().signal,
    exitWith: (code) => void (said.code = code),
  })
  await program.parseAsync(['node', 'bursar', 'score', ...args])
  return said
}

const large = 'vendor/a-large-model-with-a-long-name'

describe('bursar score', () => {
  it('prints what the table allows in 80 columns, and names what it does not', async () => {
    const { out, code } = await run(
      outcomes('all.jsonl', 60),
      '--reference',
      large,
      '--strong',
      large,
      '--weak',
      'b/small',
      '--resamples',
      '100',
    )
    expect(code).toBe(0)
    for (const line of out.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80)
    expect(out).toContain('60 requests, 2 arms.')
    expect(out).toMatch(/^b\/small +0\.6 \[0\.\d+, 0\.\d+\] +\$0\.001 \[0\.001, 0\.001\]$/m)
    expect(out).toMatch(/^RANKING +apgr +cpt50$/m)
    expect(out).toContain('Not told: joules, ipj, ipw. No outcome has "joules".')
    expect(out).not.toMatch(/NaN|undefined/)
  })

  it('prints only the metrics that are asked for, by category too', async () => {
    const { out } = await run(
      outcomes('some.jsonl', 30),
      '--metric',
      'quality',
      '--metric',
      'cost-of-pass,seconds',
      '--by',
      'category',
      '--resamples',
      '0',
    )
    expect(out).toMatch(/^ARM +quality +cost-of-pass \(\$\)$/m)
    expect(out).toMatch(/^Category "law", 10 requests$/m)
    expect(out).toMatch(/^b\/small +0\.6 +\$0\.00167$/m)
    expect(out).not.toMatch(/pareto|Not told/)
  })

  it('writes JSON with units and methods, and the same page each time', async () => {
    const [file, json, html] = [outcomes('files.jsonl', 30), join(folder, 'out.json'), join(folder, 'out.html')]
    await run(file, '--resamples', '50', '--json', json, '--html', html)
    const written: unknown = JSON.parse(readFileSync(json, 'utf8'))
    expect(written).toMatchObject({
      seed: 1,
      data: [{ name: 'files.jsonl', rows: 30 }],
      results: {
        requests: 30,
        leftOut: 0,
        metrics: expect.arrayContaining([
          expect.objectContaining({
            metric: expect.objectContaining({ id: 'quality', unit: '' }),
            scores: expect.objectContaining({
              'b/small': expect.objectContaining({ value: 0.6, n: 30, method: 'Poisson bootstrap over requests, 50 of 50 draws, 95 %' }),
            }),
          }),
        ]),
      },
    })
    const page = readFileSync(html, 'utf8')
    expect(page).toContain('Scorecard of files.jsonl')
    expect(page).toContain('<svg')
    await run(file, '--resamples', '50', '--html', html)
    expect(readFileSync(html, 'utf8')).toBe(page)
  })

  it('ranks by the scores of a router', async () => {
    const file = outcomes('ranked.jsonl', 40)
    const gainful = (index: number) => (index % 5 >= 3 && index % 10 !== 0 ? 1 : 0)
    const scores = write(
      'scores.jsonl',
      Array.from({ length: 40 }, (_, index) => ({ id: `q${index}`, score: gainful(index) })),
    )
    const { out } = await run(file, '--strong', large, '--weak', 'b/small', '--scores', scores, '--metric', 'apgr', '--resamples', '0')
    const of = (name: string) => Number(new RegExp(`^${name} +([\\d.]+)$`, 'm').exec(out)?.[1])
    expect(of('--scores')).toBeGreaterThan(of('prompt length'))
    expect(of('--scores')).toBeLessThanOrEqual(of('oracle'))
    await expect(
      run(file, '--strong', large, '--weak', 'b/small', '--scores', write('bad.jsonl', [{ id: 'q1', score: 1 }, { id: 'q2' }])),
    ).rejects.toThrow(/bad\.jsonl, row 2: score/)
    await expect(run(file, '--strong', large, '--weak', 'b/small', '--scores', join(folder, 'nowhere'))).rejects.toThrow(/can't be read/)
  })

  it('scores the result of a replay by what it tells', async () => {
    const interval = { value: 0.9, low: 0.88, high: 0.92 }
    const policies = [
      ['dear', 0.9, 20],
      ['cheap', 0.6, 1],
      ['bad', 0.5, 10],
    ].map(([name, quality, usdPerThousand]) => ({
      name,
      quality,
      usdPerThousand,
      ...(name === 'dear' ? { qualityInterval: interval } : {}),
    }))
    const file = write('replayed.json', [JSON.stringify({ policies, requests: 500 }, null, 2)])
    const { out } = await run(file, '--html', join(folder, 'replayed.html'), '--json', join(folder, 'replayed-scores.json'))
    const told: unknown = JSON.parse(readFileSync(join(folder, 'replayed-scores.json'), 'utf8'))
    expect(told).toMatchObject({ data: [{ sha256: createHash('sha256').update(readFileSync(file)).digest('hex') }] })
    expect(out).toMatch(/^dear +0\.9 \[0\.88, 0\.92\] +\$0\.02$/m)
    expect(out).toMatch(/^bad +0$/m)
    expect(out).toContain('500 requests, 3 arms.')
    expect(readFileSync(join(folder, 'replayed.html'), 'utf8')).toContain('<svg')
    await expect(run(file, '--metric', 'e3')).rejects.toThrow(/score the outcome table itself/)
    await expect(run(write('damaged.json', [{ policies: [{ name: 'a', quality: '1' }] }]))).rejects.toThrow(/policies\[0\]\.quality/)
  })

  it('names wrong rows, goes on without them, and exits with 1 unless told to be lenient', async () => {
    const file = outcomes('wrong.jsonl', 10, [
      'nothing',
      { id: 'z', request: { messages: [{ role: 'user', content: 'x' }] }, outcomes: { a: { quality: 2 } } },
    ])
    const strict = await run(file, '--resamples', '0')
    expect(strict.err).toMatch(/row 11: is not JSON/)
    expect(strict.err).toMatch(/row 12: outcomes\.a\.quality/)
    expect(strict.out).toContain('2 rows of the table were wrong and left out.')
    expect(strict.code).toBe(1)
    expect((await run(file, '--resamples', '0', '--lenient')).code).toBe(0)
  })

  it('scores what the others are held against too, and names nothing twice', async () => {
    const { out } = await run(
      outcomes('chosen.jsonl', 12),
      '--arms',
      'b/small,b/small',
      '--reference',
      large,
      '--metric',
      'quality-difference,quality',
      '--resamples',
      '0',
    )
    expect(out).toContain('12 requests, 2 arms.')
    expect(out).toMatch(/^b\/small +0\.667 +-0\.167$/m)
  })

  it('draws what differs by three hundred powers of ten, and steers no terminal', async () => {
    const row = (id: string) => ({
      id,
      request: { messages: [{ role: 'user', content: 'x' }] },
      outcomes: { 'a|\u001b[31m': { quality: 1, usd: 1e-9 }, '<b>': { quality: 0, usd: 1e300 } },
    })
    const file = write('hostile.jsonl', [row('1'), row('2'), '\u001b[2J'])
    const page = join(folder, 'hostile.html')
    const { out, err } = await run(file, '--html', page, '--strong', '<b>', '--weak', 'a|\u001b[31m')
    expect(out).toContain('apgr, cpt50, cpt80. "<b>" is no better than "a|?[31m" on')
    expect(err).toContain('row 3: is not JSON')
    expect(out + err).not.toContain('\u001b')
    const html = readFileSync(page, 'utf8')
    expect(html).toContain('<svg')
    expect(html).not.toMatch(/NaN|Infinity|<b>|\u001b/)
  })

  it('says what to do where a file cannot be read or written', async () => {
    const file = outcomes('fine.jsonl', 3)
    await expect(run(folder)).rejects.toSatisfy(
      (thrown) => BursarError.is(thrown) && thrown.message.includes('is a folder. Name the outcome table'),
    )
    for (const option of ['--json', '--html'])
      await expect(run(file, '--resamples', '0', option, join(folder, 'none', 'x'))).rejects.toSatisfy(
        (thrown) => BursarError.is(thrown) && thrown.message.startsWith(`${option}: `),
      )
  })

  it('explains each metric', async () => {
    const { out } = await run('--list')
    for (const { id, source } of scoreMetrics) {
      expect(out).toContain(`${id}: `)
      expect(source).not.toBe('')
    }
    expect(new Set(scoreMetrics.map(({ id }) => id)).size).toBe(scoreMetrics.length)
    expect((await run('--list', '--metric', 'e3')).out.split('\n\n')).toHaveLength(1)
  })

  it.each([
    [['--metric', 'wit'], /no metric "wit"/],
    [['--list', '--metric', 'wit'], /no metric "wit"/],
    [['--reference', 'c'], /--reference: "c" is none of the table's arms/],
    [['--arms', 'b/small,c'], /--arms: "c"/],
  ])('refuses %j', async (args, message) => {
    await expect(run(outcomes('bad-options.jsonl', 3), ...args)).rejects.toThrow(message)
  })

  it('refuses tables without rows, and none at all', async () => {
    await expect(run(join(folder, 'missing.jsonl'))).rejects.toSatisfy(
      (thrown) => BursarError.is(thrown) && thrown.message.includes("doesn't exist"),
    )
    await expect(run(write('empty.jsonl', ['nothing']))).rejects.toThrow(/no row that could be scored/)
    await expect(run()).rejects.toThrow(/bursar score FILE/)
  })
})
