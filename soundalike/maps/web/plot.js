/** Points on a canvas that can be moved, zoomed, pointed at and circled. It knows places and colours, nothing else. */

/** More points than this are squares, written into the picture without the canvas, which is far faster. */
const MOST_ROUND = 12000;
const CLICK_PX = 4;
const REACH_PX = 10;
const STEP_PX = 60;
const MARGIN_PX = 40;

/** What a point looks like: not at all, pale, in its colour, or in its colour with a ring. */
export const LOOK = { hidden: 0, pale: 1, plain: 2, ringed: 3 };

export class Plot {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {number[]} x from -1 to 1
   * @param {number[]} y
   * @param {{onHover: Function, onPick: Function, onCircle: Function}} listeners get a point's number or -1, or numbers
   */
  constructor(canvas, x, y, listeners) {
    Object.assign(this, { canvas, x: Float32Array.from(x), y: Float32Array.from(y), listeners });
    this.context = canvas.getContext("2d");
    this.colours = new Uint16Array(x.length);
    this.looks = new Uint8Array(x.length).fill(LOOK.plain);
    this.palette = ["#000"];
    this.current = -1;
    this.isCircling = false;
    this.circle = [];
    this.pointers = new Map();
    this.grid = new Grid(this.x, this.y);
    this.bounds = [this.x, this.y].map((values) => values.reduce(([least, most], value) => [Math.min(least, value), Math.max(most, value)], [Infinity, -Infinity]));
    this.reset();
    this.listen();
    this.group();
    new ResizeObserver(() => this.fit()).observe(canvas);
    this.fit();
  }

  /** Show all points. */
  reset() {
    const [midX, midY] = this.bounds.map(([least, most]) => (least + most) / 2);
    Object.assign(this, { midX, midY, zoom: 1 });
    this.draw();
  }

  /** @param {{palette: string[], rest: string, colours: Uint16Array, pale: string, line: string}} paint colours as #rrggbb; those of `rest` lie below the others */
  paint(paint) {
    Object.assign(this, paint);
    this.sprites = new Map();
    this.group();
    this.draw();
  }

  /** @param {Uint8Array} looks of each point */
  dress(looks) {
    this.looks = looks;
    this.group();
    this.draw();
  }

  /** Mark one point, and bring it into view. */
  point(number) {
    this.current = number;
    if (number >= 0) {
      const [left, top] = this.placeOf(number);
      if (left < 0 || top < 0 || left > this.width || top > this.height) {
        this.midX = this.x[number];
        this.midY = this.y[number];
      }
    }
    this.draw();
  }

  /** Zoom around a place of the canvas, by default its middle. */
  zoomBy(factor, left = this.width / 2, top = this.height / 2) {
    const zoom = Math.min(Math.max(this.zoom * factor, 0.5), 5000);
    const before = this.scale;
    this.zoom = zoom;
    const change = 1 / before - 1 / this.scale;
    this.midX += (left - this.width / 2) * change;
    this.midY -= (top - this.height / 2) * change;
    this.draw();
  }

  moveBy(right, down) {
    this.midX -= right / this.scale;
    this.midY += down / this.scale;
    this.draw();
  }

  get scale() {
    const [wide, high] = this.bounds.map(([least, most]) => Math.max(most - least, 0.05));
    return Math.max(Math.min((this.width - MARGIN_PX) / wide, (this.height - MARGIN_PX) / high), 1) * this.zoom;
  }

  placeOf(number) {
    return [(this.x[number] - this.midX) * this.scale + this.width / 2, this.height / 2 - (this.y[number] - this.midY) * this.scale];
  }

  /** @returns {number} the point at a place of the canvas, or -1 */
  at(left, top) {
    const x = (left - this.width / 2) / this.scale + this.midX;
    const y = (this.height / 2 - top) / this.scale + this.midY;
    return this.grid.nearest(x, y, REACH_PX / this.scale, (number) => this.looks[number] !== LOOK.hidden);
  }

  fit() {
    const box = this.canvas.getBoundingClientRect();
    this.width = box.width || 1;
    this.height = box.height || 1;
    this.ratio = Math.min(window.devicePixelRatio || 1, 2);
    this.canvas.width = Math.round(this.width * this.ratio);
    this.canvas.height = Math.round(this.height * this.ratio);
    this.sprites = new Map();
    this.draw();
  }

  /** Collect the points of each colour and look once, not for every frame. */
  group() {
    const groups = new Map();
    for (let number = 0; number < this.x.length; number += 1) {
      const look = this.looks[number];
      if (look === LOOK.hidden) continue;
      const key = look === LOOK.pale ? -1 : look * 65536 + this.colours[number];
      if (!groups.has(key)) groups.set(key, []);
      groups.get(key).push(number);
    }
    const made = [...groups].sort(([one], [other]) => one - other).map(([key, numbers]) => ({
      colour: key < 0 ? this.pale : this.palette[key % 65536],
      isRinged: key >= LOOK.ringed * 65536,
      numbers: Uint32Array.from(numbers),
    }));
    const depth = ({ colour, isRinged }) => (isRinged ? 3 : colour === this.pale ? 0 : colour === this.rest ? 1 : 2);
    this.groups = made.sort((one, other) => depth(one) - depth(other));
  }

  draw() {
    if (this.asked || !this.groups) return;
    this.asked = requestAnimationFrame(() => {
      this.asked = 0;
      this.drawNow();
    });
  }

  drawNow() {
    const { context, width, height } = this;
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const count = this.x.length;
    const base = count < 500 ? 5 : count < 5000 ? 3.5 : count < 30000 ? 2 : 1.4;
    const radius = Math.min(base * Math.max(1, this.zoom ** 0.3), 7);
    const isMany = count > MOST_ROUND;
    if (isMany) this.drawSquares(radius);
    for (const group of this.groups) {
      if (!isMany || group.isRinged) this.drawGroup(group, group.isRinged ? radius + 1.5 : radius);
    }
    if (this.current >= 0) this.drawCurrent(radius);
    if (this.circle.length > 1) this.drawCircle();
  }

  drawGroup({ colour, isRinged, numbers }, radius) {
    const { context, x, y, width, height, scale } = this;
    const { picture, half } = this.sprite(colour, isRinged, radius);
    const left = width / 2 - this.midX * scale - half;
    const top = height / 2 + this.midY * scale - half;
    const size = 2 * half;
    for (let place = 0; place < numbers.length; place += 1) {
      const number = numbers[place];
      const right = left + x[number] * scale;
      const down = top - y[number] * scale;
      if (right < -size || down < -size || right > width || down > height) continue;
      context.drawImage(picture, right, down, size, size);
    }
  }

  /** Write squares for all points without rings into the pixels of the picture. */
  drawSquares(radius) {
    const { canvas, x, y, ratio } = this;
    const [width, height] = [canvas.width, canvas.height];
    if (this.image?.width !== width || this.image.height !== height) this.image = new ImageData(width, height);
    const pixels = new Uint32Array(this.image.data.buffer);
    pixels.fill(0);
    const scale = this.scale * ratio;
    const size = Math.max(2, Math.round(2 * radius * ratio));
    const left = width / 2 - this.midX * scale - size / 2;
    const top = height / 2 + this.midY * scale - size / 2;
    for (const { colour, isRinged, numbers } of this.groups) {
      if (isRinged) continue;
      const pixel = pixelOf(colour);
      for (let place = 0; place < numbers.length; place += 1) {
        const number = numbers[place];
        const right = Math.round(left + x[number] * scale);
        const down = Math.round(top - y[number] * scale);
        if (right < 0 || down < 0 || right + size > width || down + size > height) continue;
        for (let row = down * width + right, end = row + size * width; row < end; row += width) {
          for (let at = row; at < row + size; at += 1) pixels[at] = pixel;
        }
      }
    }
    this.context.putImageData(this.image, 0, 0);
  }

  /** A dot that is drawn once and copied to each place. */
  sprite(colour, isRinged, radius) {
    const key = `${colour} ${isRinged} ${radius.toFixed(2)}`;
    if (!this.sprites.has(key)) {
      if (this.sprites.size > 200) this.sprites.clear();
      const half = radius + 2;
      const picture = document.createElement("canvas");
      picture.width = picture.height = Math.ceil(2 * half * this.ratio);
      const context = picture.getContext("2d");
      context.scale(this.ratio, this.ratio);
      context.fillStyle = colour;
      context.beginPath();
      context.arc(half, half, radius, 0, 7);
      context.fill();
      if (isRinged) {
        context.strokeStyle = this.line;
        context.lineWidth = 2;
        context.stroke();
      }
      this.sprites.set(key, { picture, half });
    }
    return this.sprites.get(key);
  }

  drawCurrent(radius) {
    const [left, top] = this.placeOf(this.current);
    this.context.strokeStyle = this.line;
    this.context.lineWidth = 2;
    this.context.beginPath();
    this.context.arc(left, top, radius + 5, 0, 7);
    this.context.stroke();
  }

  drawCircle() {
    const { context } = this;
    context.strokeStyle = this.line;
    context.lineWidth = 1.5;
    context.setLineDash([5, 4]);
    context.beginPath();
    this.circle.forEach(([left, top]) => context.lineTo(left, top));
    context.closePath();
    context.stroke();
    context.setLineDash([]);
  }

  listen() {
    const { canvas } = this;
    const place = (event) => [event.offsetX, event.offsetY];
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, place(event));
      this.moved = this.pointers.size > 1 ? CLICK_PX + 1 : 0;
      this.circle = this.pointers.size === 1 && (this.isCircling || event.shiftKey) ? [place(event)] : [];
    });
    canvas.addEventListener("pointermove", (event) => this.onMove(event, place(event)));
    canvas.addEventListener("pointerup", (event) => this.onUp(event, place(event)));
    canvas.addEventListener("pointercancel", (event) => {
      this.pointers.delete(event.pointerId);
      this.circle = [];
      this.draw();
    });
    canvas.addEventListener("pointerleave", () => this.listeners.onHover(-1));
    canvas.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        const pixels = event.deltaY * (event.deltaMode === 1 ? 30 : 1);
        this.zoomBy(Math.exp(-Math.min(Math.max(pixels, -200), 200) / 300), event.offsetX, event.offsetY);
      },
      { passive: false },
    );
    canvas.addEventListener("dblclick", (event) => this.zoomBy(2, event.offsetX, event.offsetY));
    canvas.addEventListener("keydown", (event) => this.onKey(event));
  }

  onMove(event, place) {
    const before = this.pointers.get(event.pointerId);
    if (!before) {
      if (event.pointerType !== "touch") this.listeners.onHover(this.at(...place));
      return;
    }
    const [right, down] = [place[0] - before[0], place[1] - before[1]];
    this.moved += Math.hypot(right, down);
    this.pointers.set(event.pointerId, place);
    if (this.circle.length) {
      this.circle.push(place);
      this.draw();
    } else if (this.pointers.size === 2) {
      const [other] = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
      const far = (one) => Math.max(Math.hypot(one[0] - other[0], one[1] - other[1]), 1);
      this.zoomBy(far(place) / far(before), (place[0] + other[0]) / 2, (place[1] + other[1]) / 2);
      this.moveBy(right / 2, down / 2);
    } else {
      this.moveBy(right, down);
    }
  }

  onUp(event, place) {
    if (!this.pointers.delete(event.pointerId)) return;
    if (this.circle.length > 2) {
      this.listeners.onCircle(this.inside(this.circle));
    } else if (this.moved <= CLICK_PX && this.pointers.size === 0) {
      this.listeners.onPick(this.at(...place));
    }
    this.circle = [];
    this.draw();
  }

  onKey(event) {
    const actions = {
      ArrowLeft: () => this.moveBy(STEP_PX, 0),
      ArrowRight: () => this.moveBy(-STEP_PX, 0),
      ArrowUp: () => this.moveBy(0, STEP_PX),
      ArrowDown: () => this.moveBy(0, -STEP_PX),
      "+": () => this.zoomBy(1.4),
      "=": () => this.zoomBy(1.4),
      "-": () => this.zoomBy(1 / 1.4),
      0: () => this.reset(),
    };
    const action = actions[event.key];
    if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    action();
  }

  /** @returns {number[]} the visible points inside of a polygon on the canvas */
  inside(polygon) {
    const found = [];
    for (let number = 0; number < this.x.length; number += 1) {
      if (this.looks[number] === LOOK.hidden) continue;
      const [left, top] = this.placeOf(number);
      let isInside = false;
      for (let one = 0, before = polygon.length - 1; one < polygon.length; before = one, one += 1) {
        const [[ax, ay], [bx, by]] = [polygon[one], polygon[before]];
        if (ay > top !== by > top && left < ((bx - ax) * (top - ay)) / (by - ay) + ax) isInside = !isInside;
      }
      if (isInside) found.push(number);
    }
    return found;
  }
}

/** @returns {number} an opaque colour, given as #rrggbb, as a pixel */
function pixelOf(colour) {
  const bytes = Uint8Array.of(...[1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)), 255);
  return new Uint32Array(bytes.buffer)[0];
}

/** Points by cells of the plane, to find the nearest one. */
class Grid {
  constructor(x, y) {
    Object.assign(this, { x, y, side: Math.min(512, Math.max(1, Math.ceil(Math.sqrt(x.length / 4)))) });
    this.cells = new Map();
    for (let number = 0; number < x.length; number += 1) {
      const cell = this.cell(x[number], y[number]);
      if (!this.cells.has(cell)) this.cells.set(cell, []);
      this.cells.get(cell).push(number);
    }
  }

  column(value) {
    return Math.min(this.side - 1, Math.max(0, Math.floor(((value + 1) / 2) * this.side)));
  }

  cell(x, y) {
    return this.column(y) * this.side + this.column(x);
  }

  nearest(x, y, reach, isWanted) {
    let [best, least] = [-1, reach * reach];
    for (let row = this.column(y - reach); row <= this.column(y + reach); row += 1) {
      for (let column = this.column(x - reach); column <= this.column(x + reach); column += 1) {
        for (const number of this.cells.get(row * this.side + column) || []) {
          const far = (this.x[number] - x) ** 2 + (this.y[number] - y) ** 2;
          if (far <= least && isWanted(number)) [best, least] = [number, far];
        }
      }
    }
    return best;
  }
}
