import { execFile } from 'node:child_process'
import { request } from 'node:http'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { beforeAll, describe, expect, it } from 'vitest'
import { hasDashboard, parseConfig } from '../../src/gateway/index.js'
import { openedBenches } from '../gateway/opened-benches.js'

beforeAll(async () => {
  await promisify(execFile)(process.execPath, [fileURLToPath(new URL('../../scripts/dashboard.mjs', import.meta.url))])
}, 120_000)

const { start } = openedBenches()

/** As it goes over the wire: `fetch` would unpack it. */
function raw(
  url: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { headers }, (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(parts) }))
    })
    asked.on('error', reject)
    asked.end()
  })
}

const files = ['/dashboard', '/dashboard/app.js', '/dashboard/app.css', '/dashboard/favicon.svg']

describe('the pages of the dashboard', () => {
  it('are served without a key, may run their own script only, and name no other host', async () => {
    const { url } = await start()
    for (const path of files) {
      const { status, headers, body } = await raw(url + path)
      expect([path, status]).toEqual([path, 200])
      expect(headers['content-security-policy']).toMatch(
        /^default-src 'none'; script-src 'self'; style-src 'self'; .*connect-src 'self';.*frame-ancestors 'none'$/,
      )
      expect(headers['content-security-policy']).not.toContain('unsafe')
      expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer', 'cache-control': 'no-cache' })
      // Names of XML's vocabularies are no addresses.
      expect(body.toString().replaceAll(/http:\/\/www\.w3\.org\/\S*?["'`]/g, '')).not.toMatch(/https?:\/\/(?!github\.com)/)
    }
    const page = (await raw(`${url}/dashboard`)).body.toString()
    expect(page.match(/<script\b[^>]*>/g)).toEqual(['<script type="module" src="/dashboard/app.js">'])
    expect(page).not.toMatch(/<style|style=|\bon\w+=/)
  })

  it('are sent packed to those who can unpack, and not again to those who have them', async () => {
    const { url } = await start()
    const plain = await raw(`${url}/dashboard/app.js`)
    const packed = await raw(`${url}/dashboard/app.js`, { 'accept-encoding': 'br, gzip' })
    expect(packed.headers['content-encoding']).toBe('gzip')
    expect(gunzipSync(packed.body).equals(plain.body)).toBe(true)
    expect(packed.body.length).toBeLessThanOrEqual(60_000)
    expect((await raw(`${url}/dashboard/app.js`, { 'accept-encoding': 'gzip;q=0' })).headers['content-encoding']).toBeUndefined()
    const again = await raw(`${url}/dashboard/app.js`, { 'if-none-match': `"old", W/${String(plain.headers['etag'])}` })
    expect([again.status, again.body.length]).toEqual([304, 0])
  })

  it('are there by those names only', async () => {
    const { url } = await start()
    for (const path of ['/dashboard/nothing.js', '/dashboard/..%2Fcli%2Fmain.js', '/dashboard/%2e%2e/package.json', '/dashboard/app.js/x'])
      expect([path, (await raw(url + path)).status]).toEqual([path, 404])
    expect(await raw(`${url}/dashboard/`)).toMatchObject({ status: 308, headers: { location: '/dashboard' } })
    expect((await fetch(`${url}/dashboard`, { method: 'POST' })).status).toBe(405)
  })

  it('are not there where the configuration says so, and by default on this machine only', async () => {
    const { url } = await start((config) => (config['dashboard'] = { enabled: false }))
    expect((await raw(`${url}/dashboard`)).status).toBe(404)
    const given = (text: string) => hasDashboard(parseConfig(text, {}).config)
    expect(given('server: {host: 127.0.0.1}')).toBe(true)
    expect(given('server: {host: "[::1]"}')).toBe(true)
    expect(given('{server: {host: 0.0.0.0}, keys: [{name: a, key: sk-0123456789abcdef}]}')).toBe(false)
    expect(given('{server: {host: 0.0.0.0}, keys: [{name: a, key: sk-0123456789abcdef}], dashboard: {enabled: true}}')).toBe(true)
  })
})
