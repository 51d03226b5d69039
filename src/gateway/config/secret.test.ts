import { format, inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { Secret } from './secret.js'

describe('Secret', () => {
  const secret = new Secret('hush-hush')
  it('shows nothing in any way of printing', () => {
    const shown = [
      String(secret),
      `${secret.toString()}`,
      JSON.stringify({ secret }),
      inspect(secret, { showHidden: true, depth: 9 }),
      inspect({ deep: [secret] }, { depth: 9, showHidden: true }),
      format('%s %o %O %j', secret, secret, secret, secret),
      Object.keys(secret).join(),
      '' + (secret as unknown as string),
    ].join('\n')
    expect(shown).not.toContain('hush')
    expect(shown).toContain('[secret]')
  })
  it('gives the text to who asks for it', () => {
    expect(secret.reveal()).toBe('hush-hush')
  })
})
