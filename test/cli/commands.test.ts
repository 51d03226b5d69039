import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { startUpstream, type Upstream } from '../upstream/index.js'
import { run, start, type Finished } from './process.js'

// Each of these starts a process or several.
vi.setConfig({ testTimeout: 60_000 })

let folder: string
let upstream: Upstream
beforeAll(async () => {
  upstream = await startUpstream()
  folder = mkdtempSync(join(tmpdir(), 'bursar-cli-'))
  writeFileSync(join(folder, 'sandbox.yaml'), 'providers:\n  sandbox:\n    type: sandbox\nmodels:\n  quick: sandbox/small\n')
  writeFileSync(
    join(folder, 'two.yaml'),
    `providers:\n  up:\n    type: openai-compatible\n    base_url: ${upstream.url}/v1\n    api_key: sk-very-secret-0123\n  gone:\n    type: openai-compatible\n    base_url: http://127.0.0.1:1/v1\n`,
  )
  writeFileSync(join(folder, 'bad.yaml'), 'provider:\n  sandbox:\n    type: sandbox\n')
})
afterAll(async () => {
  await upstream.close()
  rmSync(folder, { recursive: true })
})

/** Everything that people read fits an old terminal. */
function expectNarrow({ out, err }: Finished): void {
  for (const line of `${out}\n${err}`.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80)
}

describe('bursar', () => {
  it('--help fits in 80 columns, of the whole and of each command', async () => {
    const paths = [[], ['serve'], ['config', 'show'], ['drive']]
    await Promise.all(
      paths.map(async (path) => {
        const finished = await run([...path, '--help'], folder)
        expect(finished.code).toBe(0)
        expect(finished.err).toBe('')
        expect(finished.out).toMatch(new RegExp(`^Usage: bursar${path.map((name) => ` ${name}`).join('')}`))
        expectNarrow(finished)
      }),
    )
  })

  it('--version is that of the package', async () => {
    expect((await run(['--version'], folder)).out).toMatch(/^\d+\.\d+\.\d+\n$/)
  })

  it.each([
    [['frobnicate'], "unknown command 'frobnicate'"],
    [['modles'], 'models'],
    [['check', 'surplus', 'arguments'], 'arguments'],
  ])('%j is told what is wrong, with 1', async (args, wanted) => {
    const finished = await run(args, folder)
    expect(finished.code).toBe(1)
    expect(finished.out).toBe('')
    expect(finished.err).toContain(wanted)
    expect(finished.err).toContain('--help')
    expectNarrow(finished)
  })

  it('models: a table in 80 columns, and the same as JSON', async () => {
    const table = await run(['models', '-c', 'sandbox.yaml'], folder)
    expect(table.code).toBe(0)
    expectNarrow(table)
    expect(table.out).toMatch(/^MODEL +SERVED BY +INPUT +CACHED +OUTPUT +CONTEXT +CAN\n/)
    expect(table.out).toMatch(/^quick +sandbox\/small +0\.1 +0\.01 +0\.4 +128 +TJI-R-$/m)
    const json = await run(['models', '-c', 'sandbox.yaml', '--json', 'quick'], folder)
    expect(JSON.parse(json.out)).toMatchObject([{ id: 'quick', deployments: ['sandbox/small'], prices: { input: { usd: '0.1' } } }])
  })

  it('check: each provider, what is wrong and how to mend it; no secret', async () => {
    const good = await run(['check', '-c', 'sandbox.yaml'], folder)
    expect(good.code).toBe(0)
    expectNarrow(good)
    const half = await run(['check', '-c', 'two.yaml'], folder)
    expect(half.code).toBe(1)
    expect(half.out).toMatch(/^up +ok/m)
    expect(half.out).toMatch(/^gone +FAILED/m)
    expect(half.out).toContain('ECONNREFUSED')
    expect(half.out + half.err).not.toContain('sk-very-secret')
    expectNarrow(half)
  })

  it('check and serve: a mistyped key of the file is shown with its line and the right one', async () => {
    const checked = await run(['check', '-c', 'bad.yaml'], folder)
    expect(checked.code).toBe(1)
    expect(checked.out).toContain('providers')
    expectNarrow(checked)
    const served = await run(['serve', '-c', 'bad.yaml'], folder)
    expect(served.code).toBe(1)
    expect(served.err).toMatch(/provider.*providers/s)
  })
})

it('a reader that leaves (`bursar … | head`) ends a command without a word', async () => {
  const command = start(['config', 'schema'], tmpdir())
  command.process.stdout?.destroy()
  expect(await command.exited).toMatchObject({ code: 0, err: '' })
})
