import { describe, expect, it } from 'vitest'
import { BursarError, InvalidRequest } from '../../errors/index.js'
import { anthropicMessages } from './index.js'

describe('errors in the format of Anthropic', () => {
  it.each([
    [400, 'invalid_request_error'],
    [401, 'authentication_error'],
    [403, 'permission_error'],
    [404, 'not_found_error'],
    [413, 'request_too_large'],
    [415, 'invalid_request_error'],
    [429, 'rate_limit_error'],
    [500, 'api_error'],
    [502, 'api_error'],
    [503, 'overloaded_error'],
    [529, 'overloaded_error'],
  ])('status %i is %s', (status, type) => {
    const error = new BursarError('No.', { code: 'internal_error', status })
    expect(anthropicMessages.encodeError(error, 'r-1')).toEqual({
      type: 'error',
      error: { type, message: 'No.', code: 'internal_error' },
      request_id: 'r-1',
    })
  })

  it('name the field', () => {
    expect(anthropicMessages.encodeError(new InvalidRequest('Bad.', { path: 'messages[0]' }), 'r')).toMatchObject({
      error: { path: 'messages[0]' },
    })
  })

  it('end a stream as an error event that says it was cut', () => {
    const text = anthropicMessages.encodeStreamError(new BursarError('Gone.', { code: 'stream_truncated', status: 502 }), 'r-2')
    expect(text).toBe(
      'event: error\ndata: {"type":"error","error":{"type":"api_error","message":"Gone.","code":"stream_truncated","truncated":true},"request_id":"r-2"}\n\n',
    )
  })

  it('are read from a provider, with the field it blames', () => {
    const decode = anthropicMessages.decodeError.bind(anthropicMessages)
    expect(
      decode({ type: 'error', error: { type: 'invalid_request_error', message: 'messages.1.content.0.text: Field required' } }),
    ).toEqual({
      message: 'messages.1.content.0.text: Field required',
      code: 'invalid_request_error',
      param: 'messages[1].content[0].text',
    })
    expect(decode({ error: { type: 'rate_limit_error', message: 'Slow down' } })).toEqual({
      message: 'Slow down',
      code: 'rate_limit_error',
      param: undefined,
    })
    expect(decode('<html>').message).not.toBe('')
    expect(decode(null).message).not.toBe('')
  })
})
