import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { parseConfig } from '../../src/gateway/index.js'
import { KEY, startBench, type Bench } from '../gateway/harness.js'

vi.setConfig({ testTimeout: 60_000 })

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (name: string) => readFileSync(join(root, name), 'utf8')
const pages = ['README.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)].filter((name) => name.endsWith('.md'))

/** The text of every file of a folder. */
function sources(folder: string): string {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .map((name) => read(join(folder, name)))
    .join('\n')
}

/** Code blocks of a language. */
function blocks(page: string, language: string): string[] {
  return [...read(page).matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(([, code]) => code ?? '')
}

describe('docs/errors.md', () => {
  const union = /export type ErrorCode =([\s\S]*?)\n\nexport/.exec(read('src/errors/index.ts'))?.[1] ?? ''
  const codes = [...union.matchAll(/'([a-z0-9_]+)'/g)].map(([, code]) => code ?? '')
  const rows = new Map(
    read('docs/errors.md')
      .split('\n')
      .flatMap((line): [string, string[]][] => {
        const code = /^\| `([a-z0-9_]+)` \|/.exec(line)?.[1]
        return code === undefined ? [] : [[code, line.split('|').map((cell) => cell.trim())]]
      }),
  )

  it('has a row for every code, and for nothing else', () => {
    expect(codes.length).toBeGreaterThan(30)
    expect([...rows.keys()].sort()).toEqual([...codes].sort())
  })

  it.each(codes)('%s: status, meaning, what to do, and whether to ask again', (code) => {
    const [, , status = '', meaning = '', todo = '', again = ''] = rows.get(code) ?? []
    expect(status).toMatch(/\d{3}|4xx/)
    expect(meaning.length).toBeGreaterThan(10)
    expect(todo.length).toBeGreaterThan(5)
    expect(again).toMatch(/^(yes|no|perhaps)$/)
  })

  it('has the statuses that the program gives', () => {
    // What the command line throws is never answered to a caller.
    const given = readdirSync(join(root, 'src'))
      .filter((room) => room !== 'cli')
      .flatMap((room) => [...sources(`src/${room}`).matchAll(/code: '([a-z0-9_]+)', status: (\d{3})\b/g)])
    expect(given.length).toBeGreaterThan(20)
    for (const [, code = '', status = ''] of given) {
      const documented = rows.get(code)?.[2] ?? ''
      // Anthropic's 529 is told to callers as 503.
      if (status === '529' || (documented.includes('4xx') && status.startsWith('4'))) continue
      expect(documented, `${code} is given with ${status}`).toContain(status)
    }
  })
})

describe.each(pages)('%s', (page) => {
  const text = read(page)

  it('has no link that leads nowhere', () => {
    for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue
      const [file = '', anchor] = target.split('#')
      const path = file === '' ? join(root, page) : resolve(join(root, dirname(page)), file)
      expect(existsSync(path), `${target} in ${page}`).toBe(true)
      if (anchor !== undefined && path.endsWith('.md')) {
        const there = readFileSync(path, 'utf8')
        const anchors = [
          ...[...there.matchAll(/<a id="([^"]+)">/g)].map(([, id]) => id),
          ...[...there.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
            title
              .toLowerCase()
              .replace(/[^\p{L}\p{N} -]/gu, '')
              .replace(/ /g, '-'),
          ),
        ]
        expect(anchors, `${target} in ${page}`).toContain(anchor)
      }
    }
  })

  it('names only npm scripts, headers, metrics and test files that there are', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
    for (const [, script = ''] of text.matchAll(/npm run ([\w:]+)/g)) expect(Object.keys(scripts), `npm run ${script}`).toContain(script)
    const all = sources('src')
    for (const [name] of text.matchAll(/\b(x-bursar-[a-z-]+|bursar_[a-z_]+)\b/g)) expect(all.includes(name), name).toBe(true)
    for (const [, path = ''] of text.matchAll(/\b((?:test|examples|bench|src)\/[\w./-]*\.(?:test\.)?ts)\b/g))
      expect(existsSync(join(root, path)), path).toBe(true)
  })

  // Strategies are parts of a configuration: `src/strategies/declared/documentation.test.ts` reads and builds those of its page.
  it.skipIf(page === 'docs/strategies.md')('shows configurations that are valid', () => {
    const env = {
      OPENAI_API_KEY: 'sk-o',
      ANTHROPIC_API_KEY: 'sk-a',
      BACKEND_KEY: 'sk-backend-0123456789',
      EXPERIMENTS_KEY: 'sk-experiments-0123456789',
      SEARCH_KEY: 'sk-search-0123456789',
      SEARCH_APP_KEY: 'sk-search-app-0123456789',
    }
    for (const block of blocks(page, 'yaml')) {
      // A test set is no configuration: `src/evaluation/suite/documentation.test.ts` reads those of docs/suites.md.
      if (/^tests:/m.test(block)) continue
      // Pieces of a file stand for what is around them.
      const whole = /^providers:/m.test(block)
        ? block
        : `${block}\nproviders:\n${[...new Set([...block.matchAll(/\b(openai|azure|gpu)\//g)].map(([, name]) => `  ${name}:\n    type: openai-compatible\n    base_url: http://127.0.0.1:1/v1\n`))].join('') || '  sandbox:\n'}`
      expect(() => parseConfig(whole, env), `${page}:\n${block}`).not.toThrow()
    }
  })
})

describe('the programs in README.md', () => {
  let bench: Bench
  let folder: string
  beforeAll(async () => {
    bench = await startBench((config) => {
      config['providers'] = { sandbox: { type: 'sandbox', speed: 'instant' } }
      config['models'] = {}
      config['prices'] = {}
    })
    // Inside the repository, so that the packages are found.
    folder = mkdtempSync(join(root, 'node_modules', '.readme-'))
  })
  afterAll(async () => {
    rmSync(folder, { recursive: true })
    await bench.close()
  })

  const programs = blocks('README.md', 'ts')
  it('are two', () => expect(programs.length).toBe(2))

  it.each(programs.map((code, index) => [index, code] as const))('TypeScript %i runs', async (index, code) => {
    const file = join(folder, `program-${index}.mts`)
    writeFileSync(file, code.replaceAll('http://127.0.0.1:8787', bench.url).replaceAll('sk-bursar-…', KEY))
    const child = spawn(process.execPath, ['--import', join(root, 'node_modules/tsx/dist/loader.mjs'), file], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let out = ''
    let err = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (out += chunk))
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (err += chunk))
    const status = await new Promise((resolve) => child.once('close', resolve))
    expect(err).toBe('')
    expect(status).toBe(0)
    expect(out.length).toBeGreaterThan(20)
  })

  it('the curl line works', async () => {
    const [, body = ''] = /-d '(\{.*\})'/.exec(read('README.md')) ?? []
    expect((await bench.post('/v1/chat/completions', body)).status).toBe(200)
  })
})
