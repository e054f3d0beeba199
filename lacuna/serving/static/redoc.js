/** Starts ReDoc. It would ask another host for its maker's logo; it leaves the logo out when that is no image. */

const own = (address) => (new URL(address, document.baseURI).origin === location.origin ? address : "data:,");
const picture = HTMLImageElement.prototype;
const { get, set } = Object.getOwnPropertyDescriptor(picture, "src");
Object.defineProperty(picture, "src", { get, set(address) { set.call(this, own(address)); } });
picture.setAttribute = function (name, value) {
  Element.prototype.setAttribute.call(this, name, name === "src" ? own(value) : value);
};

// Its search runs in a worker made of text, which the Content-Security-Policy forbids.
Redoc.init("openapi.json", { disableSearch: true }, document.getElementById("api"));
