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
_UNSPACED_SCRIPT = re.compile(r"[\u0e00-\u0e7f\u3040-\u9fff\uac00-\ud7a3]")

# what multiplies by something that is no power of ten, or by another one in another language
_UNCLEAR_WORDS = (
    "dozen dozens doz dutzend docena docenas douzaine douzaines dozzina dozzine dúzia dúzias dozijn"
    " dussin tucet tuzin дюжин lusin düzine gross grand score mil billones billón billionen"
    " trillionen trillones trilhões quadrillion quintillion halves cientos centaines hunderte сот"
    " сотен hundreds thousands tens elfu laki milioni bilioni dazeni chục"
)
_UNCLEAR_SIGNS = (
    "[打半割折又余餘多几幾数]|成(?!本)|分之|[点點]\\d|โหล|ครึ่ง|ডজন|డజన్|दर्जन|다스|반(?![가-힣])"
)


def _any_of(words: list[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


_SPACED = [word for word in _POWERS if word != "k" and not _UNSPACED_SCRIPT.search(word)]
_UNSPACED = [word for word in _POWERS if _UNSPACED_SCRIPT.search(word)]
_LONG = [word for word in _POWERS if len(word) > 3]

# behind a numeral, for patterns that ignore case
SCALE = (
    rf"[ -]?(?:(?:{_any_of(_SPACED)})(?![^\W\d_])\.?(?!\d)|(?:{_any_of(_UNSPACED)}))"
    r"|(?-i:k)(?![^\W\d_])"
)
# the same where which number is meant cannot be told, or the word goes on
UNCLEAR = (
    rf"[ -]?(?:(?:{_any_of(_UNCLEAR_WORDS.split())})(?![^\W\d_])|{_UNCLEAR_SIGNS}|{_any_of(_LONG)})"
)


def power_of_ten(scale: str) -> int:
    """Return the power of ten that `scale`, which SCALE matched, multiplies by."""
    return _POWERS[scale.lower().strip(" -.")]
