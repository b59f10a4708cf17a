// Checks HTML pages in a browser: they render, load no resources, run only their own script, and their
// filter works. Prints the time of the filter with 500 flows.
import { readdirSync } from "node:fs";
import { resolve } from "node:path";
import assert from "node:assert/strict";
import puppeteer from "puppeteer-core";

const [formats, hostile] = process.argv.slice(2);
const browser = await puppeteer.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu"],
});

async function open(path) {
  const page = await browser.newPage();
  const events = [];
  page.on("pageerror", (error) => events.push(String(error)));
  page.on("console", (message) => events.push(message.text()));
  page.on("dialog", async (dialog) => { events.push("dialog"); await dialog.dismiss(); });
  page.on("request", (request) => { if (!request.url().startsWith("file:")) events.push(request.url()); });
  await page.goto(`file://${resolve(path)}`);
  return { page, events };
}

const visible = (page) => page.$$eval(".flow:not([hidden])", (flows) => flows.length);

for (const name of readdirSync(formats)) {
  const { page, events } = await open(`${formats}/${name}/expected.html`);
  const all = await page.$$eval(".flow", (flows) => flows.length);
  assert.equal(await page.$eval("#shown", (it) => it.value), `${await visible(page)} of ${all} flows`, name);
  // A page begins with what differs, or with everything if nothing does.
  const differing = await page.$$eval(".flow:has(.differs)", (flows) => flows.length);
  assert.equal(await visible(page), differing || all, name);
  for (const width of [390, 1280]) {
    await page.setViewport({ width, height: 800 });
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
    assert.equal(overflow, false, `${name} overflows at a width of ${width} pixels`);
  }
  assert.deepEqual(events, [], name);
  await page.close();
}

{
  const { page, events } = await open(`${formats}/drift/expected.html`);
  await page.type("input[name=text]", "TRIAL");
  assert.equal(await visible(page), 1, "by flow");
  await page.$eval("input[name=text]", (it) => { it.value = ""; });
  await page.type("input[name=text]", "invitation");
  assert.equal(await visible(page), 2, "by connector");
  await page.$eval("input[name=text]", (it) => { it.value = ""; });
  for (const [action, count] of [["missing", 2], ["changed", 1], ["added", 1], ["unmanaged", 1], ["unreadable", 0], ["dangling", 0], ["same", 1], ["differs", 3], ["", 3]]) {
    await page.select("select[name=action]", action);
    assert.equal(await visible(page), count, action);
  }
  assert.deepEqual(events, []);
  await page.close();
}

{
  const { page } = await open(`${formats}/large/expected.html`);
  await page.select("select[name=action]", "");
  assert.equal(await visible(page), 500);
  const worst = await page.evaluate(() => {
    const form = document.getElementById("filter");
    let worst = 0;
    for (const text of ["", "4", "flow_49", "connector 3", "nothing at all", ""]) {
      form.elements.text.value = text;
      const began = performance.now();
      form.dispatchEvent(new Event("input"));
      document.body.getBoundingClientRect();
      worst = Math.max(worst, performance.now() - began);
    }
    return worst;
  });
  console.log(`  500 flows: the slowest filter with its layout took ${worst.toFixed(1)} ms`);
  await page.close();
}

{
  const { page, events } = await open(hostile);
  assert.equal(await page.evaluate(() => document.scripts.length), 1);
  assert.deepEqual(events, []);
  await page.close();
}

await browser.close();
