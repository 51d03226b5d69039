import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { buildStrategy, describeSpec, parseStrategy, strategyKinds } from './index.js'

const text = readFileSync(new URL('../../../docs/strategies.md', import.meta.url), 'utf8')
const blocks = [...text.matchAll(/```yaml\n([^]*?)```/g)].map((match) => parse(match[1] ?? '') as unknown)

describe('docs/strategies.md', () => {
  it('has an example of every kind, and of no other', () => {
    const shown = blocks.flatMap((block) => (typeof block === 'object' && block !== null && 'kind' in block ? [block.kind] : []))
    expect(shown.toSorted()).toEqual([...strategyKinds.keys()].toSorted())
  })

  it('shows only what can be read and built', () => {
    for (const block of blocks) {
      if (typeof block !== 'object' || block === null || !('kind' in block)) continue
      const spec = parseStrategy(block)
      expect(buildStrategy(spec).plan.length).toBeGreaterThan(0)
      expect(describeSpec(spec)).toMatch(/\.$/)
    }
  })
})
