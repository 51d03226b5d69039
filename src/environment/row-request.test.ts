import { describe, expect, it } from 'vitest'
import { openaiChat } from '../protocol/index.js'
import type { OutcomeRow } from './outcome-row.js'
import { requestOfRow } from './row-request.js'

const row = (request: OutcomeRow['request']): OutcomeRow => ({ id: '1', request, outcomes: {} })

describe('the request of a row', () => {
  it.each<OutcomeRow['request']>([
    { messages: [{ role: 'user', content: 'q' }] },
    {
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: '' },
        { role: 'assistant', content: 'a' },
        { role: 'user', content: ' q\n' },
      ],
    },
    {
      messages: [
        { role: 'developer', content: 'd' },
        { role: 'user', content: 'q', name: 'n' },
      ],
    },
    { messages: [{ role: 'user', content: [{ type: 'text', text: 'q' }] }], tools: [], temperature: 0 },
    { messages: [{ role: 'user', content: '' }], contentStored: false },
  ])('is what the gateway would have read: %j', (request) => {
    expect(requestOfRow(row(request))).toEqual(openaiChat.decodeRequest({ ...request, model: 'auto' }))
  })

  it('names the field of what is none', () => {
    expect(() => requestOfRow(row({ messages: [{ role: 'robot', content: 'q' }] }))).toThrow(/^request\.messages\[0\]\.role/)
    expect(() => requestOfRow(row({ messages: [{ role: 'user', content: 7 }] }))).toThrow(/^request\.messages\[0\]\.content/)
  })
})
