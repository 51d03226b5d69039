import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { interpolate } from './interpolate.js'

const env = { KEY: 'sk-1', EMPTY: '', HOST: 'example.com' }

describe('interpolate', () => {
  it.each([
    ['plain', 'plain'],
    ['${KEY}', 'sk-1'],
    ['https://${HOST}/v1/${KEY}', 'https://example.com/v1/sk-1'],
    ['${MISSING:-fallback}', 'fallback'],
    ['${MISSING:-}', ''],
    ['${EMPTY:-fallback}', 'fallback'],
    ['${KEY:-fallback}', 'sk-1'],
    ['${MISSING:-a:-b c}', 'a:-b c'],
    ['$${KEY}', '${KEY}'],
    ['$$${KEY}', '$${KEY}'],
    ['$KEY $ {x} 5$', '$KEY $ {x} 5$'],
    ['os.environ/KEY', 'sk-1'],
    ['see os.environ/KEY', 'see os.environ/KEY'],
  ])('%s gives %s', (text, expected) => {
    expect(interpolate(text, env)).toMatchObject({ text: expected })
  })

  it('names a variable that is missing, and one that may be meant', () => {
    expect(interpolate('${KEYY}', env)).toEqual({
      problem: 'the environment variable KEYY is not set (did you mean KEY?); set it, or write ${KEYY:-default}',
    })
    expect(interpolate('os.environ/NOPE_NOPE', env)).toMatchObject({ problem: expect.stringContaining('NOPE_NOPE is not set') as string })
    expect(interpolate('${EMPTY}', env)).toMatchObject({ problem: expect.stringContaining('EMPTY is empty') as string })
  })

  it.each(['${', 'a ${KEY', '${}', '${1X}', '${KEY-x}', '${KEY:?x}'])('refuses %s', (text) => {
    expect(interpolate(text, env)).toHaveProperty('problem')
  })

  it('does not replace inside what it put in', () => {
    expect(interpolate('${A}', { A: '${B}', B: 'x' })).toMatchObject({ text: '${B}' })
  })

  it('leaves texts without a reference alone', () => {
    fc.assert(
      fc.property(
        fc.string().filter((text) => !text.includes('${') && !text.startsWith('os.environ/')),
        (text) => {
          expect(interpolate(text, env)).toEqual({ text, variables: [], replaced: false })
        },
      ),
    )
  })
})
