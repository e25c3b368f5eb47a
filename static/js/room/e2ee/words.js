/**
 * The words that people compare: 256 things that sound unlike each other, in each language that the pages speak. Their
 * place in the list is what was agreed, so that a page in English and one in Spanish mean the same.
 */

const LIST = `
  airplane avión, almond almendra, anchor ancla, angel ángel, apple manzana, arrow flecha, autumn otoño, backpack mochila,
  baker panadero, bamboo bambú, banana plátano, basil albahaca, basket canasta, bean frijol, bed cama, bell campana,
  bench banco, bicycle bicicleta, bird pájaro, biscuit galleta, blanket manta, blue azul, book libro, bottle botella,
  bracelet pulsera, bread pan, breakfast desayuno, brick ladrillo, bridge puente, broccoli brócoli, brush cepillo, bubble burbuja,
  bucket cubo, butter mantequilla, butterfly mariposa, cabbage repollo, cake pastel, calendar calendario, camel camello, candle vela,
  canoe canoa, carpet alfombra, carrot zanahoria, castle castillo, chain cadena, cheese queso, cherry cereza, chimney chimenea,
  cinnamon canela, circle círculo, city ciudad, clock reloj, cloud nube, coat abrigo, coconut coco, coffee café,
  coin moneda, compass brújula, copper cobre, coral coral, cottage cabaña, cotton algodón, cow vaca, crab cangrejo,
  crown corona, crystal cristal, cucumber pepino, cup taza, dance baile, desert desierto, desk escritorio, diamond diamante,
  dinner cena, dog perro, dolphin delfín, door puerta, dragon dragón, dream sueño, dress vestido, drum tambor,
  eagle águila, ear oreja, earth tierra, elephant elefante, emerald esmeralda, farm granja, feather pluma, fence valla,
  finger dedo, fire fuego, fish pez, floor piso, flower flor, forest bosque, fork tenedor, fox zorro,
  friend amigo, frog rana, garden jardín, garlic ajo, giant gigante, giraffe jirafa, glacier glaciar, glass vaso,
  glove guante, gold oro, grape uva, green verde, hair pelo, hammer martillo, hamster hámster, harp arpa,
  hat sombrero, heart corazón, helmet casco, hill colina, honey miel, horse caballo, hotel hotel, ice hielo,
  iron hierro, island isla, jacket chaqueta, jungle selva, kangaroo canguro, key llave, king rey, kite cometa,
  knee rodilla, ladder escalera, lamp lámpara, leaf hoja, lemon limón, letter carta, lettuce lechuga, library biblioteca,
  lighthouse faro, lion león, lobster langosta, magnet imán, mailbox buzón, map mapa, marble mármol, market mercado,
  mask máscara, melon melón, milk leche, mirror espejo, monkey mono, moon luna, morning mañana, mouse ratón,
  museum museo, mushroom hongo, music música, necklace collar, needle aguja, nest nido, newspaper periódico, night noche,
  north norte, nose nariz, notebook cuaderno, olive aceituna, onion cebolla, otter nutria, oyster ostra, painter pintor,
  palace palacio, palm palmera, pancake panqueque, panda panda, paper papel, peach durazno, peacock pavo, pearl perla,
  pencil lápiz, penguin pingüino, pepper pimienta, piano piano, pillow almohada, pineapple piña, planet planeta, plate plato,
  pocket bolsillo, prince príncipe, pumpkin calabaza, purple morado, queen reina, rabbit conejo, radio radio, rain lluvia,
  rainbow arcoíris, raspberry frambuesa, river río, road camino, robot robot, roof techo, rope cuerda, saddle montura,
  salad ensalada, salt sal, sand arena, sandal sandalia, sapphire zafiro, satellite satélite, scarf bufanda, school escuela,
  scissors tijeras, shadow sombra, shell concha, shoe zapato, shoulder hombro, snow nieve, soap jabón, song canción,
  spoon cuchara, spring primavera, squirrel ardilla, star estrella, stone piedra, strawberry fresa, street calle, sugar azúcar,
  suitcase maleta, summer verano, sunflower girasol, sweater suéter, table mesa, teacher maestro, telephone teléfono, telescope telescopio,
  temple templo, theater teatro, tiger tigre, tomato tomate, tooth diente, tower torre, tree árbol, triangle triángulo,
  trumpet trompeta, turtle tortuga, umbrella paraguas, velvet terciopelo, village pueblo, violin violín, wall pared, walnut nuez,
  wave ola, whale ballena, wheat trigo, wheel rueda, window ventana, winter invierno, wolf lobo, zebra cebra
`;

const WORDS = LIST.trim().split(/,\s+/).map((pair) => pair.split(" "));
const LANGUAGES = {en: 0, es: 1};

/** The words at these places, in one's own language; with the other beside it when somebody in the room has that. */
export function say(places, language, spoken = [language]) {
  const order = [...new Set([language, ...spoken].map((each) => LANGUAGES[each] ?? LANGUAGES.en))];
  return places.map((place) => [...new Set(order.map((column) => WORDS[place][column]))].join(" / "));
}
