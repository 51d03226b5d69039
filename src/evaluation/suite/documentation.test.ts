import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkKinds } from '../grading/index.js'
import { readSuite } from './index.js'

const text = await readFile(new URL('../../../docs/suites.md', import.meta.url), 'utf8')
const blocks = (language: string) =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(([, block = '']) => block)

let folder = ''
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'bursar-suite-docs-'))))
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('docs/suites.md', () => {
  it('shows suites that can be read', async () => {
    const suites = blocks('yaml')
    expect(suites.length).toBe(2)
    const sizes: (readonly [number, number])[] = []
    for (const suite of suites) {
      await writeFile(join(folder, 'suite.yaml'), suite)
      const { methods, items, notes } = await readSuite(join(folder, 'suite.yaml'))
      expect(notes).toEqual([])
      sizes.push([methods.length, items.length])
    }
    expect(sizes).toEqual([
      [8, 3],
      [1, 2],
    ])
  })

  it('shows questions that can be read', async () => {
    await writeFile(join(folder, 'questions.jsonl'), blocks('json').join('\n'))
    const { items } = await readSuite(join(folder, 'questions.jsonl'), { methods: ['m'] })
    expect(items.map(({ id, checks }) => [id, checks.map(({ kind }) => kind)])).toEqual([
      ['sum-1', ['answer']],
      ['capital-1', ['choice']],
    ])
  })

  it('tells of every kind of check in its own words', () => {
    for (const { kind, aliases = [], about } of checkKinds)
      expect(text).toContain(`| ${[kind, ...aliases].map((name) => `\`${name}\``).join(', ')} | ${about} |`)
  })
})
