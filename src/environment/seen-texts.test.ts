import { describe, expect, it } from 'vitest'
import { SeenTexts } from './seen-texts.js'

describe('SeenTexts', () => {
  it('knows what it was told, through growth, and nothing else', () => {
    const seen = new SeenTexts()
    const texts = Array.from({ length: 20_000 }, (_, at) =>
      at % 3 === 0 ? `row-${at}` : at % 3 === 1 ? String(at) : `${at}`.padStart(30, 'é'),
    )
    expect(texts.filter((text) => !seen.add(text))).toEqual([])
    expect(seen.size).toBe(20_000)
    expect(texts.filter((text) => seen.add(text))).toEqual([])
    expect(seen.add('')).toBe(true)
    expect(seen.add('')).toBe(false)
  })

  it('comes back from its bytes', () => {
    const seen = new SeenTexts()
    for (let at = 0; at < 3_000; at++) seen.add(`id ${at}`)
    const again = SeenTexts.from(seen.bytes())
    expect(again.size).toBe(3_000)
    expect(again.add('id 2999')).toBe(false)
    expect(again.add('id 3000')).toBe(true)
    expect(SeenTexts.from(new Uint8Array(0)).add('x')).toBe(true)
  })
})
