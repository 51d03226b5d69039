import { describe, expect, it } from 'vitest'
import { createOutputLengths } from '../effort/output-lengths.js'
import { single } from '../single.js'
import { createFeatures } from '../thinking/fixtures/plain-features.js'
import { question, scriptedEnvironment } from '../thinking/fixtures/scripted-environment.js'
import { inStyle, preferredStyles, styled, styledArm, styleIds, styleLibrary, styleOf, styleRatio } from './index.js'

describe('styles', () => {
  it.each(styleIds)('%s stands behind the question and leaves what is before it alone', (id) => {
    const asked = question('How many?', {
      messages: [
        { role: 'system', parts: [{ type: 'text', text: 'S' }] },
        { role: 'user', parts: [{ type: 'text', text: 'How many?' }] },
      ],
    })
    const told = inStyle(asked, styleLibrary[id])
    expect(told.messages[0]).toBe(asked.messages[0])
    expect(told.messages[1]?.parts[0]).toBe(asked.messages[1]?.parts[0])
    expect(told.messages[1]?.parts[1]).toEqual({ type: 'text', text: `\n\n${styleLibrary[id].text}` })
  })

  it.each([
    ['reasoning', { reasoning: { effort: 'high' as const } }],
    ['JSON', { responseFormat: { type: 'json_object' as const } }],
    ['tools', { tools: [{ type: 'function' as const, name: 'f' }] }],
    ['a tool loop', { messages: [{ role: 'tool' as const, parts: [{ type: 'tool_result' as const, callId: 'a', content: [] }] }] }],
  ])('a request with %s goes as it is', (_name, changes) => {
    const asked = question('How many?', changes)
    expect(inStyle(asked, styleLibrary.chain_of_draft)).toBe(asked)
  })

  it("keeps the caller's stop sequences", () => {
    expect(inStyle(question('?'), styleLibrary.direct).stop).toEqual(['\n\n'])
    expect(inStyle(question('?', { stop: ['E'] }), styleLibrary.direct).stop).toEqual(['E'])
  })

  it('is a strategy whose plan knows the ratio, and runs the inner one', async () => {
    const env = scriptedEnvironment(() => ({ text: 'The answer is 3.' }))
    const strategy = styled('sketch', single('m'))
    expect(strategy.plan).toEqual([{ model: 'm', expected: 1, most: 1, outputRatio: styleLibrary.sketch.outputRatio }])
    for await (const delta of strategy.run(question('How many?'), env)) expect(delta).toBeDefined()
    expect(JSON.stringify(env.calls[0]?.request.messages)).toContain('sketch')
    expect(() => styleOf('haiku', 'arms[0].style')).toThrow(expect.objectContaining({ path: 'arms[0].style' }))
  })

  it('prefers nothing for models that think, for code and for fixed forms; draft for sums; plain words for small models', () => {
    const sums = createFeatures({ category: 'math' })
    expect(preferredStyles(sums, { thinks: true })).toEqual([])
    expect(preferredStyles(createFeatures({ category: 'math', traits: { code: true } }), { thinks: false })).toEqual([])
    expect(preferredStyles(createFeatures({ category: 'code' }), { thinks: false })).toEqual([])
    expect(preferredStyles(sums, { thinks: false, tier: 'medium' })[0]).toBe('chain_of_draft')
    expect(preferredStyles(sums, { thinks: false, tier: 'small' })[0]).toBe('chain_of_thought')
    expect(preferredStyles(createFeatures({ traits: { choices: 4 } }), { thinks: false })[0]).toBe('sketch')
  })

  it('learns the ratio from lengths, beginning at the library', () => {
    const lengths = createOutputLengths()
    const features = createFeatures({ category: 'math' })
    expect(styleRatio(lengths, 'm', 'chain_of_draft', features)).toBe(styleLibrary.chain_of_draft.outputRatio)
    for (let index = 0; index < 300; index++) {
      lengths.observe('m', features, 400)
      lengths.observe(styledArm('m', 'chain_of_draft'), features, 200)
    }
    expect(styleRatio(lengths, 'm', 'chain_of_draft', features)).toBeCloseTo(0.5, 1)
  })
})
