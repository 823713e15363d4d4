"""Words that multiply the number before them: million, Tausend, lakh, 万."""

import re

# powers of ten
_WORDS = {
    1: "十",
    2: "hundred 百 백 ร้อย শত శతం",
    3: "thousand k tsd tausend mille mila tysiąc tysiące tysięcy тысяча тысячи тысяч тысячу"
    " тыс тисяч тисячі duizend tusen tuhat tuhatta tisíc ezer ribu nghìn ngàn mii хиляди χιλιάδες"
    " 千 천 พัน হাজার వేల వేలు हज़ार हजार ألف آلاف هزار אלף",
    4: "万 萬 만 หมื่น",
    5: "lakh lakhs lac lacs แสน লক্ষ লাখ లక్ష లక్షలు లక్షల लाख",
    6: "million millions mn mln mio millionen millones millón millon milhões milhão milioni milione"
    " milion miliony milionów milionu миллион миллиона миллионов млн мільйон мільйони мільйонів"
    " miljoen miljoner miljon milyon juta triệu εκατομμύρια ล้าน মিলিয়ন మిలియన్ మిలియన్లు मिलियन"
    " مليون ملايين میلیون מיליון",
    7: "crore crores কোটি కోటి కోట్లు కోట్ల करोड़ करोड",
    8: "亿 億 억",
    9: "billion billions bn mrd milliarden milliarde milliard milliards miliardi miliardo миллиард"
    " миллиарда миллиардов млрд мільярд мільярдів miliard miliardy miliardów miljard miljarder"
    " milyar miliar tỷ bilhões bilhão مليار میلیارد מיליארד",
    12: "trillion trillions 兆 조",
}
_POWERS = {word: power for power, words in _WORDS.items() for word in words.split()}
# 百万, 千億, 십만, พันล้าน: one in front of the other
_SMALL = {"十": 1, "百": 2, "千": 3, "십": 1, "백": 2, "천": 3, "สิบ": 1, "ร้อย": 2, "พัน": 3}
_SMALL |= {"หมื่น": 4, "แสน": 5}
_BIG = {"万": 4, "萬": 4, "亿": 8, "億": 8, "만": 4, "억": 8, "ล้าน": 6}
_POWERS |= {a + b: _SMALL[a] + _BIG[b] for a in _SMALL for b in _BIG}
_UNSPACED_SCRIPT = re.compile(r"[\u0e00-\u0e7f\u3040-\u9fff\uac00-\ud7a3]")

# what multiplies by something that is no power of ten, or by another one in another language
_UNCLEAR_WORDS = (
    "dozen dozens doz dutzend docena docenas douzaine douzaines dozzina dozzine dúzia dúzias dozijn"
    " dussin tucet tuzin дюжин lusin düzine gross grand score mil billones billón billionen"
    " trillionen trillones trilhões quadrillion quintillion halves cientos centaines hunderte сот"
    " сотен hundreds thousands tens elfu laki milioni bilioni dazeni chục"
)
_UNCLEAR_SIGNS = (
    "[打半割折又余餘多几幾数]|ダース|成(?!本)|分之|[点點]\\d|โหล|ครึ่ง"
    "|ডজন|డజన్|दर्जन|다스|반(?![가-힣])"
)


def _any_of(words: list[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


_SPACED = [word for word in _POWERS if word != "k" and not _UNSPACED_SCRIPT.search(word)]
_UNSPACED = [word for word in _POWERS if _UNSPACED_SCRIPT.search(word)]
_SIGNS = "十百千万萬亿億兆십백천만억조"
_UNCLEAR_STEMS = [word for word in _UNCLEAR_WORDS.split() if len(word) > 4]
_LONG = [word for word in _POWERS if len(word) > 3]

# behind a numeral, for patterns that ignore case
SCALE = (
    rf"[ -]?(?:(?:{_any_of(_SPACED)})(?![^\W\d_])\.?(?!\d)"
    rf"|(?:{_any_of(_UNSPACED)})(?![{_SIGNS}米克瓦卡分]))|(?-i:k)(?![^\W\d_])"
)
# the same where which number is meant cannot be told, or the word goes on
UNCLEAR = (
    rf"[ -]?(?:(?:{_any_of(_UNCLEAR_WORDS.split())})(?![^\W\d_])|{_UNCLEAR_SIGNS}"
    rf"|[{_SIGNS}](?![米克瓦卡])|{_any_of(_LONG)}|{_any_of(_UNCLEAR_STEMS)})"
)


def power_of_ten(scale: str) -> int:
    """Return the power of ten that `scale`, which SCALE matched, multiplies by."""
    return _POWERS[scale.lower().strip(" -.")]
