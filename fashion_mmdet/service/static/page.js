// The page: sends a photo once, with a threshold below any that the slider has, and does the rest here.
// A threshold hides garments and changes none: of two that overlap, the service decides in favour of the surer one, so
// those below a threshold have no say about those above.
import { decodeRuns, shrinkMask } from './masks.js';

const LOWEST = 0.05;
const NEIGHBOURS = 6; // shown of the catalogue for a garment
const LONGEST_SIDE = 1400; // of the overlay, in pixels
const SHADE = 0x99000000; // black, three fifths, as the little-endian bytes of RGBA
const SHOWN_TYPES = /^image\/(jpeg|png|webp|bmp|gif|avif)$/;
const $ = (id) => document.getElementById(id);
const state = { labels: null, file: null, answer: null, garments: [], threshold: null, lit: null, pinned: null, request: null };

// Requests.

const keyHeaders = () => ($('key').value ? { 'X-API-Key': $('key').value } : {});

async function call(path, options = {}) {
  const headers = keyHeaders();
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Error('The service does not answer. Is it still running?');
  }
  if (response.ok) return response.json();
  if (response.status === 401) $('key-form').hidden = false;
  throw new Error(await describeProblem(response));
}

async function describeProblem(response) {
  const detail = await response.json().then((problem) => problem.detail, () => '');
  if (response.status === 401) return 'This service asks for a key: enter it above.';
  if (response.status === 429) return 'The service is busy. Try again in a moment.';
  return detail ? `The service cannot take this photo: ${detail}.` : `The service answered with status ${response.status}.`;
}

// With a catalogue, one request finds the garments and what is like each of them.
function similarQuery() {
  return `similar?k=${NEIGHBOURS}&goes_with=true&alternatives=${state.labels.catalogue.in_stock}&`;
}

async function loadLabels() {
  try {
    state.labels = await call('v1/labels');
  } catch (error) {
    return showProblem(error.message);
  }
  const { max_bytes: bytes, max_pixels: pixels } = state.labels.limits;
  const limit = `${Math.floor(bytes / 2 ** 20)} MB and ${Math.floor(pixels / 1e6)} megapixels`;
  $('limits').textContent = `JPEG, PNG, WebP or BMP, at most ${limit}`;
  $('model').textContent = `Model: ${state.labels.name}`;
}

// A photo comes in.

async function take(file) {
  state.request?.abort();
  const request = state.request = new AbortController();
  showProblem('');
  if (!state.labels) await loadLabels();
  if (!state.labels) return;
  if (file.type && !SHOWN_TYPES.test(file.type)) return showProblem(`${file.name} is no photo that this page can show: choose a JPEG, PNG, WebP or BMP.`);
  if (file.size > state.labels.limits.max_bytes) {
    return showProblem(`${file.name} has ${(file.size / 2 ** 20).toFixed(1)} MB: choose one of at most ${Math.floor(state.labels.limits.max_bytes / 2 ** 20)} MB.`);
  }
  try {
    await showPhoto(file);
  } catch {
    return showProblem(`${file.name} cannot be shown: the file is damaged, or no photo.`);
  }
  if (request.signal.aborted) return;
  setBusy(true);
  try {
    const ask = state.labels.catalogue ? similarQuery() : 'segment?';
    const answer = await call(`v1/${ask}threshold=${LOWEST}`, { method: 'POST', body: file, signal: request.signal });
    if (answer.width !== $('photo').naturalWidth || answer.height !== $('photo').naturalHeight) {
      throw new Error('This browser turns the photo otherwise than the service: save it as JPEG and try again.');
    }
    receive({ ...answer, image_id: file.name });
  } catch (error) {
    if (error.name !== 'AbortError') showProblem(error.message);
  } finally {
    if (state.request === request) setBusy(false);
  }
}

async function showPhoto(file) {
  const url = URL.createObjectURL(file);
  const image = new Image();
  image.src = url;
  try {
    await image.decode();
  } catch (error) {
    URL.revokeObjectURL(url);
    throw error;
  }
  URL.revokeObjectURL($('photo').src);
  Object.assign(state, { file, answer: null, garments: [], lit: null, pinned: null });
  $('photo').src = url;
  await $('photo').decode();
  $('photo').alt = `Your photo, ${file.name}`;
  $('result').hidden = false;
  $('side').hidden = true;
  document.body.classList.add('with-photo');
  const scale = Math.min(1, LONGEST_SIDE / Math.max(image.naturalWidth, image.naturalHeight));
  $('overlay').width = Math.max(1, Math.round(image.naturalWidth * scale));
  $('overlay').height = Math.max(1, Math.round(image.naturalHeight * scale));
  paint();
}

function receive(answer) {
  const own = Object.fromEntries(state.labels.categories.map((one) => [one.id, one.threshold]));
  const { width, height } = $('overlay');
  state.answer = answer;
  state.garments = answer.garments.map((garment, index) => ({
    ...garment, index, own: own[garment.category_id],
    hue: Math.round(garment.category_id * 137.5) % 360,
    ...shrinkMask(garment.mask, garment.box, width, height),
  }));
  $('side').hidden = false;
  setThreshold(null);
}

// The threshold; null is the model's own, which may differ by category.

const isShown = (one) => one.score >= (state.threshold ?? one.own);
const shown = () => state.garments.filter(isShown);
const percent = (share) => `${Math.round(share * 100)} %`;

function setThreshold(threshold) {
  state.threshold = threshold;
  const own = [...new Set(state.labels.categories.map((one) => one.threshold))];
  if (threshold === null) $('threshold').value = Math.round(100 * own.reduce((sum, one) => sum + one, 0) / own.length);
  const text = threshold !== null ? percent(threshold) : own.length > 1 ? 'by category' : percent(own[0]);
  $('shown').textContent = text;
  $('threshold').setAttribute('aria-valuetext', text);
  $('own').disabled = threshold === null;
  if (!shown().some((one) => one.index === state.pinned)) state.pinned = null;
  state.lit = state.pinned;
  writeList();
  paint();
}

function writeList() {
  const found = shown();
  $('found').textContent = '';
  $('list').replaceChildren(...found.map(writeGarment));
  const weaker = state.garments.length;
  $('none').hidden = found.length > 0;
  $('none').textContent = weaker
    ? `Nothing here is that sure. Move the slider to the left: there are ${weaker} weaker ones.`
    : 'No garments found, not even unsure ones. People in full view, from head to shoe, work best.';
  const names = found.map((one) => `${one.category} ${percent(one.score)}`).join('; ');
  const count = `${found.length || 'No'} garment${found.length === 1 ? '' : 's'} found`;
  $('status').replaceChildren(count, element('span', { className: 'unseen', textContent: names && `: ${names}` }));
  const garments = found.map(({ index }) => state.answer.garments[index]);
  $('json').textContent = JSON.stringify({ ...state.answer, garments }, null, 1);
}

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function writeGarment(one) {
  const label = element('span', {}, one.category, element('small', { textContent: one.attributes.join(', ') }));
  const pick = element('button', { type: 'button', className: 'pick' }, thumbnail(one), label, percent(one.score));
  pick.setAttribute('aria-pressed', state.pinned === one.index);
  const save = element('button', { type: 'button', className: 'save', textContent: 'Save', title: 'Save as PNG, cut out' });
  save.setAttribute('aria-label', `Save the cut-out of ${one.category}`);
  const item = element('li', {}, pick, save);
  item.style.setProperty('--hue', `hsl(${one.hue} 75% 52%)`);
  item.dataset.index = one.index;
  pick.addEventListener('click', () => pin(one.index));
  pick.addEventListener('focus', () => light(one.index));
  pick.addEventListener('blur', () => light(state.pinned));
  item.addEventListener('pointerenter', () => light(one.index));
  item.addEventListener('pointerleave', () => light(state.pinned));
  save.addEventListener('click', () => saveCutout(one));
  if (state.pinned === one.index) showSimilar(item, one);
  return item;
}

// What the catalogue has: below the garment that is chosen.

function showSimilar(item, one) {
  if (!one.similar) return;
  const panel = element('section', { className: 'similar' });
  panel.setAttribute('aria-label', `Similar to ${one.category}`);
  for (const [title, found] of [['Similar', one.similar], ['In stock instead', one.alternatives]]) {
    if (!found) continue;
    panel.append(element('h2', { textContent: title }));
    panel.append(found.length ? element('ul', {}, ...found.map(writeMatch)) : element('p', { className: 'soft', textContent: 'Nothing in the catalogue' }));
  }
  const names = (one.goes_with ?? []).filter((other) => other.low > 1).map((other) => `${other.category} (${other.lift.toFixed(1)} times as often as by chance)`);
  if (names.length) panel.append(element('h2', { textContent: 'Goes with' }), element('p', { textContent: names.join(', ') }));
  item.append(panel);
  const count = one.similar.length;
  $('found').textContent = `${count || 'Nothing'} similar to ${one.category}, listed below it`;
}

function writeMatch(match) {
  const colours = match.colours.map((one) => one.name);
  const frame = element('div', { className: 'frame' });
  frame.style.setProperty('--colours', stripes(match.colours)); // until the picture comes, or in its place
  if (match.photo) loadPicture(frame, match.photo, `${match.category}, ${colours.join(', ')}`);
  const own = Object.entries(match.columns).map(([name, value]) => `${name}: ${typeof value === 'object' ? JSON.stringify(value) : value}`);
  const notes = element('small', { textContent: own.join(', ') || colours.join(', ') });
  const near = element('b', { textContent: percent(match.similarity) });
  return element('li', { title: match.image }, frame, near, ` ${match.category}`, notes);
}

function stripes(colours) { // as wide as their shares; CSS has the names
  let at = 0;
  const stops = colours.map(({ name, share }) => `${name} ${100 * at}% ${100 * (at += share)}%`);
  return stops.length ? `linear-gradient(90deg, ${stops.join(', ')}, var(--wash) 0)` : 'none';
}

async function loadPicture(frame, path, alt) { // not by src alone: a key may be needed
  try {
    const response = await fetch(path.slice(1), { headers: keyHeaders() });
    if (!response.ok) return;
    const url = URL.createObjectURL(await response.blob());
    const image = element('img', { src: url, alt });
    await image.decode().finally(() => URL.revokeObjectURL(url));
    frame.replaceChildren(image);
  } catch { /* the colours stay */ }
}

// The overlay.

function light(index) {
  if (state.lit === index) return;
  state.lit = index;
  paint();
}

function pin(index) {
  state.pinned = state.pinned === index ? null : index;
  for (const item of $('list').children) {
    const isPinned = Number(item.dataset.index) === state.pinned;
    item.firstChild.setAttribute('aria-pressed', isPinned);
    item.querySelector('.similar')?.remove();
    if (isPinned) showSimilar(item, state.garments[state.pinned]);
  }
  if (state.pinned === null) $('found').textContent = '';
  light(state.pinned);
  paint();
}

function paint() { // all garments in colour, or the lit one as it is and the rest of the photo darkened
  const { width, height } = $('overlay');
  const context = $('overlay').getContext('2d');
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const lit = state.garments[state.lit];
  if (lit) pixels.fill(SHADE);
  for (const one of lit ? [lit] : shown().sort((a, b) => b.area - a.area)) {
    const fill = lit ? 0 : colour(one.hue, 0.4), edge = colour(one.hue, 1);
    for (let y = 0, at = 0; y < one.rows; y++) {
      for (let x = 0, to = (one.top + y) * width + one.left; x < one.columns; x++, at++, to++) {
        if (one.bits[at]) pixels[to] = one.bits[at] === 2 ? edge : fill;
      }
    }
  }
  context.putImageData(image, 0, 0);
  for (const item of $('list').children) item.classList.toggle('lit', Number(item.dataset.index) === state.lit);
  writeTip();
}

function colour(hue, alpha) { // hsl(hue 75% 52%) as the little-endian bytes of RGBA
  const channel = (n) => {
    const k = (n + hue / 30) % 12;
    return Math.round(255 * (0.52 - 0.36 * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return ((Math.round(alpha * 255) << 24) | (channel(4) << 16) | (channel(8) << 8) | channel(0)) >>> 0;
}

function writeTip() {
  const one = state.garments[state.lit];
  $('tip').hidden = !one;
  if (!one) return;
  $('tip').replaceChildren(element('b', { textContent: `${one.category}, ${percent(one.score)}` }), one.attributes.join(', '));
  const [x1, y1, x2] = one.box;
  const [across, down] = [(x1 + x2) / 2 / state.answer.width, y1 / state.answer.height];
  const [stage, tip] = [$('stage').getBoundingClientRect(), $('tip').getBoundingClientRect()];
  const left = Math.min(Math.max(across * stage.width - tip.width / 2, 6), stage.width - tip.width - 6);
  const above = down * stage.height - tip.height - 8;
  $('tip').style.left = `${Math.max(left, 6)}px`;
  $('tip').style.top = `${above > 6 ? above : down * stage.height + 8}px`;
}

function garmentAt(event) { // the smallest one there, as it is painted last
  const box = $('overlay').getBoundingClientRect();
  const x = Math.floor((event.clientX - box.left) / box.width * $('overlay').width);
  const y = Math.floor((event.clientY - box.top) / box.height * $('overlay').height);
  const there = shown().filter((one) => {
    const [column, row] = [x - one.left, y - one.top];
    return column >= 0 && row >= 0 && column < one.columns && row < one.rows && one.bits[row * one.columns + column];
  });
  return there.sort((a, b) => a.area - b.area)[0]?.index ?? null;
}

// Cut-outs, in the photo's own colours.

function thumbnail(one) {
  const [x1, y1, x2, y2] = one.box;
  const scale = Math.min(1, 96 / Math.max(x2 - x1, y2 - y1));
  const canvas = element('canvas', { width: Math.max(1, (x2 - x1) * scale), height: Math.max(1, (y2 - y1) * scale) });
  const mask = element('canvas', { width: one.columns, height: one.rows });
  const image = new ImageData(one.columns, one.rows);
  one.bits.forEach((bit, at) => { image.data[4 * at + 3] = bit ? 255 : 0; });
  mask.getContext('2d').putImageData(image, 0, 0);
  const context = canvas.getContext('2d');
  context.drawImage(mask, 0, 0, canvas.width, canvas.height);
  context.globalCompositeOperation = 'source-in';
  context.drawImage($('photo'), x1, y1, x2 - x1, y2 - y1, 0, 0, canvas.width, canvas.height);
  canvas.setAttribute('aria-hidden', 'true');
  return canvas;
}

async function saveCutout(one) {
  const [x1, y1, x2, y2] = one.box;
  const canvas = element('canvas', { width: x2 - x1, height: y2 - y1 });
  const context = canvas.getContext('2d');
  context.drawImage($('photo'), -x1, -y1);
  const image = context.getImageData(0, 0, canvas.width, canvas.height);
  const inside = new Uint8Array(canvas.width * canvas.height);
  const height = one.mask.size[0];
  for (const [start, end] of decodeRuns(one.mask.counts)) {
    for (let at = start; at < end; at++) inside[(at % height - y1) * canvas.width + Math.floor(at / height) - x1] = 1;
  }
  inside.forEach((bit, at) => { if (!bit) image.data.fill(0, 4 * at, 4 * at + 4); });
  context.putImageData(image, 0, 0);
  const blob = await new Promise((done) => canvas.toBlob(done, 'image/png'));
  if (!blob) return showProblem('This cut-out is too large for the browser.');
  const url = URL.createObjectURL(blob);
  const name = `${state.file.name.replace(/\.\w+$/, '')}-${one.category.replace(/\W+/g, '-')}.png`;
  element('a', { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

// What the page says.

function showProblem(text) {
  $('problem').hidden = !text;
  $('problem').textContent = text;
  if (text) $('status').textContent = '';
}

function setBusy(isBusy) {
  $('busy').hidden = !isBusy;
  $('result').setAttribute('aria-busy', isBusy);
  if (isBusy) $('status').textContent = 'Looking for garments…';
}

// What people do.

for (const [button, input] of [['open', 'file'], ['shoot', 'camera']]) {
  $(button).addEventListener('click', () => $(input).click());
  $(input).addEventListener('change', (event) => {
    const [file] = event.target.files;
    event.target.value = ''; // so that the same photo can be chosen again
    if (file) take(file);
  });
}
for (const button of document.querySelectorAll('#examples button')) {
  button.addEventListener('click', async () => {
    const name = `${button.dataset.name}.jpg`;
    try {
      const response = await fetch(`examples/${name}`);
      take(new File([await response.blob()], name, { type: 'image/jpeg' }));
    } catch {
      showProblem('The service does not answer. Is it still running?');
    }
  });
}
addEventListener('dragover', (event) => {
  event.preventDefault();
  document.body.classList.add('dragging');
});
addEventListener('dragleave', (event) => {
  if (!event.relatedTarget) document.body.classList.remove('dragging');
});
addEventListener('drop', (event) => {
  event.preventDefault();
  document.body.classList.remove('dragging');
  const [file] = event.dataTransfer.files;
  if (file) take(file);
  else showProblem('That was no file: drop a photo from a folder, or save it first.');
});
addEventListener('paste', (event) => {
  const [file] = event.clipboardData.files;
  if (file) take(file);
});
addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && state.pinned !== null) pin(state.pinned);
});
addEventListener('resize', writeTip);
$('threshold').addEventListener('input', (event) => setThreshold(event.target.value / 100));
$('own').addEventListener('click', () => {
  setThreshold(null);
  $('threshold').focus(); // the button can no longer have it
});
$('overlay').addEventListener('pointermove', (event) => {
  const index = garmentAt(event);
  $('overlay').classList.toggle('over', index !== null);
  light(index ?? state.pinned);
});
$('overlay').addEventListener('pointerleave', () => light(state.pinned));
$('overlay').addEventListener('click', (event) => {
  const index = garmentAt(event);
  if (index !== null || state.pinned !== null) pin(index ?? state.pinned);
});
$('copy').addEventListener('click', async () => {
  try {
    await navigator.clipboard.writeText($('json').textContent);
    $('copy').textContent = 'Copied';
  } catch { // no clipboard without https
    getSelection().selectAllChildren($('json'));
    $('copy').textContent = 'Selected: press Ctrl+C';
  }
  setTimeout(() => { $('copy').textContent = 'Copy'; }, 3000);
});
$('key-form').addEventListener('submit', (event) => {
  event.preventDefault();
  showProblem('');
  loadLabels().then(() => {
    $('key-form').hidden = Boolean(state.labels);
    if (state.labels && state.file) take(state.file);
  });
});
if (navigator.maxTouchPoints > 0) document.body.classList.add('touch');
loadLabels();
