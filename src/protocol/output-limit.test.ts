import { expect, it } from 'vitest'
import { limitOutput } from './output-limit.js'
import type { Request } from './conversation.js'

const request: Request = {
  model: 'm',
  messages: [],
  stream: false,
  paths: { maxOutputTokens: 'max_completion_tokens' },
  extra: [],
  maxOutputTokens: 32_000,
}

it('cuts a ceiling that the model can not reach, and notes it', () => {
  const noted: string[] = []
  const drop = { unsupported: () => expect.fail('refused'), adjusted: (path: string) => void noted.push(path) }
  expect(limitOutput(request, 16_384, drop)).toEqual({ ...request, maxOutputTokens: 16_384 })
  expect(noted).toEqual(['max_completion_tokens'])
  for (const most of [undefined, 32_000, 64_000]) expect(limitOutput(request, most, drop)).toBe(request)
  const { maxOutputTokens: _none, ...open } = request
  expect(limitOutput(open, 10, drop)).toBe(open)
  expect(noted).toHaveLength(1)
})
