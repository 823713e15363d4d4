import json
import os
import time
from fractions import Fraction
from pathlib import Path

import pytest

from stagelift.evals.metrics.answers.reading import read_answer, read_target

DATA = Path(os.environ.get("STAGELIFT_DATA", Path(__file__).parents[2] / "shared" / "data"))

NUMBERS = [
    ("18", "18"),
    ("18.", "18"),
    ("18.0", "18"),
    ("18.00.", "18"),
    ("007", "7"),
    ("2.50", "2.5"),
    (".5", "0.5"),
    ("-5", "-5"),
    ("+5", "5"),
    ("-0.0", "0"),
    ("\u22125", "-5"),
    # an en dash that can only be a sign
    ("\u20135", "-5"),
    ("negative 5", "-5"),
    ("1,234,567", "1234567"),
    ("1,234,567.89", "1234567.89"),
    ("1\u2009234\u202f567", "1234567"),
    ("1\u00a0234", "1234"),
    ("1\u2007234", "1234"),
    ("1{,}234", "1234"),
    (r"1\,234", "1234"),
    (r"1,\!234", "1234"),
    ("$18", "18"),
    (r"\$18", "18"),
    ("18$", "18"),
    ("-$5", "-5"),
    ("$-5", "-5"),
    ("£18", "18"),
    ("18 €", "18"),
    ("US$18", "18"),
    ("18 dollars", "18"),
    ("18kg", "18"),
    ("18/day", "18"),
    ("5 cm^2", "5"),
    ("18°", "18"),
    (r"18^\circ", "18"),
    ("50%", "50"),
    ("50 %", "50"),
    (r"50\%", "50"),
    ("3/4", "0.75"),
    ("3 / 4", "0.75"),
    ("10/4", "2.5"),
    ("1/3", "1/3"),
    ("-2/6", "-1/3"),
    ("1 1/2", "1.5"),
    ("1½", "1.5"),
    (r"\frac{3}{4}", "0.75"),
    (r"-\dfrac{1}{3}", "-1/3"),
    (r"\frac34", "0.75"),
    (r"1\frac{1}{2}", "1.5"),
    ("33⅓", "100/3"),
    ("0.(3)", "1/3"),
    (r"0.1\overline{6}", "1/6"),
    ("0.3̅", "1/3"),
    ("2 million", "2000000"),
    ("$1.5 billion", "1500000000"),
    ("3 thousand eggs", "3000"),
    ("1e3", "1000"),
    ("1E-2", "0.01"),
    ("1.2 x 10^3", "1200"),
    ("1.2 × 10^-3", "0.0012"),
    (r"1.2\times10^{3}", "1200"),
    ("**18**", "18"),
    ("**$18**", "18"),
    ("*18*", "18"),
    ("_18_", "18"),
    ("`18`", "18"),
    ('"18"', "18"),
    ("$18$", "18"),
    (r"\(18\)", "18"),
    (r"\[ x = 18 \]", "18"),
    (r"\boxed{18}", "18"),
    (r"$\boxed{\$18}$", "18"),
    (r"\boxed{18\text{ eggs}}", "18"),
    (r"\boxed{\text{\$18}}", "18"),
    (r"\boxed{{18}}", "18"),
    (r"\boxed{x = 18}", "18"),
    (r"\boxed{\dfrac{3}{4}}", "0.75"),
    (r"\boxed{\$1{,}000{,}000}", "1000000"),
    (r"\boxed{1.8 \times 10^{4}}", "18000"),
    (r"\\boxed{18}", "18"),
]

MARKERS = [
    ("#### 18", "18"),
    ("####18", "18"),
    ("####\n18", "18"),
    ("#### -$18.", "-18"),
    ("#### **18**", "18"),
    ("#### 70,000 dollars", "70000"),
    ("#### 18\nI hope this helps. She has 3 ducks.", "18"),
    ("#### 18 and then she buys 3", "18"),
    ("#### 18. She then buys 3", "18"),
    ("#### 18 (because 3 * 6 = 18)", "18"),
    ("#### 3 + 4 = 7", "7"),
    ("#### 18 = 3 * 6", "18"),
    ("#### Answer: 18", "18"),
    (r"#### \boxed{18} dollars", "18"),
    ("#### 18 #### 19", "19"),
    ("#### 1\nThe answer is: 42", "42"),
    ("#### Step 2\nShe has 18 eggs", "18"),
    ("#### 1. Count them\n#### 2. Add them up\nSo she has 18.", "18"),
    ("The answer is 18. She has 3 ducks.", "18"),
    ("The answer is 18.She has 3 ducks.", "18"),
    ("The answer is therefore 18 eggs", "18"),
    ("The answer, therefore, is 18", "18"),
    ("The answer to question 3 is 18", "18"),
    ("The answer to the problem is: **$1,080**", "1080"),
    ("the correct answer would be 18", "18"),
    ("The answer is: $18", "18"),
    ("The answer is:\n\n18", "18"),
    ("**The answer is 18**", "18"),
    ("The answer is 9 * 2 = 18", "18"),
    ("The answer is 18 = 9 * 2", "18"),
    ("The answer is 9 eggs * $2 = $18", "18"),
    ("The answer is (3 + 4) * 2 = 14", "14"),
    ("The answer is 18 (9 * 2 = 18)", "18"),
    ("The answer is 18 because x = 5", "18"),
    ("The answer is 18 \u2014 she has 3 left", "18"),
    ("The answer is approx. 18", "18"),
    ("The answer is 18 eggs for 3 days", "18"),
    ("The answer is 18. She has 3 left", "18"),
    ("The answer is about 18 eggs in 3 days", "18"),
    ("The answer is therefore a total of **$18** in 3 days", "18"),
    ("The answer is that she makes 18 dollars", "18"),
    ("The answer is -18 degrees", "-18"),
    ("The final answer is $18$. I hope it is correct.", "18"),
    ("Answer: 18", "18"),
    ("ANSWER:18", "18"),
    ("**Answer:** 18 eggs", "18"),
    ("Answer:\n18\n\nThanks for the 3 eggs", "18"),
    ("Answer: She makes 18 dollars.", "18"),
    ("final answer: 18", "18"),
    ("### Final Answer\n18\n\nThere were 3 hens.", "18"),
    ("\\boxed{18}\n\nLet me know if you have 3 more.", "18"),
    (r"\[ 9 \times 2 = \boxed{18} \]", "18"),
    (r"\boxed{18} dollars, not 19", "18"),
    ("\\boxed{3}\n\\boxed{3}", "3"),
    (r"The answer is 18. \boxed{}", "18"),
    ("She has 4 eggs. The answer is below.", "4"),
]

SENTENCES = [
    ("24 / 5 = 4.8, so she needs 5 buses.", "5"),
    ("To make 60 cookies, Sam needs 5 cups of flour.", "5"),
    ("The solutions are $x = 2$ and $x = -5$, so the larger one is $2$.", "2"),
    ("In total they picked 87 apples from 3 trees.", "87"),
    ("So on Monday she sold 12 cups from 3 trays.", "12"),
    ("Therefore, Mr. Smith's 3 sons will inherit $900,000 in total.", "900000"),
    ("Поэтому каждый из 3 братьев получит 8 конфет.", "8"),
    ("The answer is $\\frac{15}{4}$ or 3.75.", "3.75"),
    ("So Erin has saved a total of $96 over the past 8 weeks.", "96"),
    ("Au bout de 5 semaines, elle aura économisé 75 euros.", "75"),
    ("所以3个小时后，他走了15公里。", "15"),
    ("So it takes Ray 45 minutes to bike 9 miles.", "45"),
    ("So he has $8 left after spending $12.", "8"),
    ("Thus, Nina will have $340 at the end of 6 months.", "340"),
    ("So she gives the 4 friends 12 each.", "12"),
    ("Damit zahlt jeder der 4 Freunde 12,50 €.", "12.5"),
    ("Insgesamt hat Lena nach 6 Wochen 90 Euro gespart.", "90"),
    ("Por lo tanto, Marta necesita 5 cajas para guardar 60 libros.", "5"),
    ("En conclusion, Paul a 27 billes après avoir perdu 8 billes.", "27"),
    ("したがって、3人で分けると1人あたり8個になります。", "8"),
    ("She has 9. The answer is eighteen.", "18"),
    ("She has 9. Final answer: twenty-five pens", "25"),
    ("3 - 8 makes less. The answer is minus 5", "-5"),
    ("The answer is 41. Hmm, let me double-check: 40 + 1 = 41. Yes, 41.", "41"),
    ("It is 60 mph. Thus, the train went 240 miles in 4 hours.", "240"),
    ("So at $3 per pound, 12 pounds of apples cost $36.", "36"),
    ("So in 2 hours and 30 minutes, she reads 75 pages.", "75"),
    ("Out of 50 students, 20 play chess.", "20"),
    ("There are 5 boxes with 12 pens each, so there are 60 pens in total.", "60"),
    ("Therefore, 2x + 3 = 11, which gives x = 4.", "4"),
    ("So Ann has 14 more stickers than Ben, who has 22.", "14"),
    ("Thus there are 12 such integers between 1 and 100.", "12"),
    ("This means that her age in 5 years will be 27.", "27"),
    ("Therefore Mark was 12 years old 4 years ago.", "12"),
    ("Therefore, the 5 kids and 2 adults paid $95 altogether.", "95"),
    ("Answer: Janet makes $18 every day selling 9 eggs.", "18"),
    ("Sie läuft in 3 Wochen insgesamt 540 Meter.", "540"),
    ("Sie hat 9 Eier. Sie verdient also jeden Tag 18 Dollar.", "18"),
    ("Итого за 4 недели он накопит 48 долларов.", "48"),
    ("したがって、1日に18ドル稼ぎます。", "18"),
    ("Por lo tanto, la respuesta es 70.000 dólares.", "70000"),
    ("She makes 18 dollars per day.", "18"),
    ("She has 9.\nSo she has 18.", "18"),
    ("She has 9.\nTherefore, she has 18.", "18"),
    ("She sells 9.\n\n**$18**", "18"),
    ("She has 18.\nShe has 18 eggs.", "18"),
    ("She sells 9.\n9 * 2 = 18.\nShe makes 18 dollars.", "18"),
    ("She sells 9.\n9 times 2 equals 18.", "18"),
    ("How many are left after 3 days? She has 18.", "18"),
    ("2. She has 18 eggs", "18"),
    ("Step 3: she has 18", "18"),
    ("1. She has 9\n2. So she has 18", "18"),
    ("She has 18 eggs left.\n\nStep 4: Done", "18"),
    ("She has 18 eggs. Do you want 3 more?", "18"),
    ("9 * 2 = 18 eggs", "18"),
    ("So 9 * 2 = 18 and 18 - 3 = 15.", "15"),
    ("In 3 days she makes 3 * 6 = 18.", "18"),
    ("16 \u2013 3 = 13 trees are not pines.", "13"),
    ("She has 18 because 9 * 2 = 18.", "18"),
    ("3 * 4 = <<3*4=12>>12", "12"),
    ("| Total | 18 |", "18"),
    ("80 is the answer", "80"),
    ("<answer>18</answer>", "18"),
    ("n = 18\n\nCheck: 18 / 6 = 3 ✓", "18"),
    ("So 13 * 2 = 26 a week.\nA: 18", "18"),
    ("9 * 2 = 18, and 18 * 7 = 126.\nTherefore, in 7 days she makes $126.", "126"),
    ("So each of the 4 friends gets 18 apples.", "18"),
    ("60 + 180 = 240. Altogether 240 + 126 = 366 downloads over the 3 months.", "366"),
    ("She needs **5** boxes for her 40 pens.", "5"),
    ("The answer is that in 3 days she makes 18 dollars", "18"),
]

THOUGHTS = [
    ("<think>\nThe answer is 17. Wait, no.\n</think>\n\n**18**", "18"),
    ("\\boxed{17}? Let me see.\n</think>\nSo she has 18.", "18"),
    ("<think>The answer is \\boxed{17}", None),
    ("<reasoning>17</reasoning>\n<answer>\n18 a day\n</answer>", "18"),
    ("<scratchpad>answer: 17</scratchpad>She has 18.", "18"),
    ("[THINK]The answer is 17.[/THINK]She has 18.", "18"),
    ("<|channel|>analysis<|message|>17<|end|><|channel|>final<|message|>She has **18**.", "18"),
    ("analysisMaybe the answer is 17.assistantfinalShe has 18.", "18"),
    ("<tool_response>17</tool_response>\nShe has 18.", "18"),
    ("<|begin_of_thought|>17<|end_of_thought|><|begin_of_solution|>She has 18.", "18"),
]

MARKED = [
    ('```json\n{"steps": ["9 * 2 = 18"], "answer": "18 dollars"}\n```', "18"),
    ("{'final_answer': 18}", "18"),
    ('{"answer": null}', None),
    ("9 * 2 is it.\n<answer>18", "18"),
    ("<answer>3 or 4</answer>", None),
    (r"$\boxed{\color{red}{18}}$ of 3", "18"),
    (r"\boxed{\textbf{(C) } 18}", "18"),
    (r"\framebox{18} of 3", "18"),
    (r"\boxed18 of 3", "18"),
    (r"\boxed{2} million", None),
    (r"\boxed{3!}", None),
    ("<|begin_of_box|>18<|end_of_box|>", "18"),
]

RUN_ON = [
    ("#### 18\n\nQuestion: What is 5 + 5?\n#### 10", "18"),
    ("The answer is 18.\n\nQ: What is 5 + 5?\nA: The answer is 10.", "18"),
    ("The answer is 18.\n\n## Problem 2\nThe answer is 10.", "18"),
    ("She has 18.\n\nUser: And with 5?\nAssistant: The answer is 10.", "18"),
    ("The answer is 18.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n10", "18"),
    ("The answer is 18.\nuser\nand 5?\nassistant\n10", "18"),
    ("答案是 18。\n\n问题：5加5是多少？\n答案：10", "18"),
    ("Question: How many?\n9 * 2 = 18\nAnswer: 18", "18"),
]

TAKEN_BACK = [
    ("#### 17\n\nWait, that is wrong. It should be 18.", "18"),
    ("The answer is 17, or rather 18.", "18"),
    ("Answer: 17 (correction: 18)", "18"),
    ("The answer is ~~17~~ 18.", "18"),
    ("\\boxed{17}\n\nOn re-checking, the correct value is 18.", "18"),
    ("The answer is 17. Or maybe 18.", None),
    ("The answer is 17. Wait, I forgot the 4 muffins.", None),
    ("Die Antwort ist 17. Nein, 18.", None),
    ("The answer is 17. But as he lost one, he has 16.", None),
    ("The answer is 18. Let me verify: 18 / 2 = 9, which matches.", "18"),
    ("#### 18\n\nActually, I hope this helps!", "18"),
]

ELSEWHERE = [
    ("La respuesta es 18 dólares.", "18"),
    ("La réponse finale est donc 18.", "18"),
    ("Die endgültige Antwort lautet 18.", "18"),
    ("Also verdient sie jeden Tag 18 Dollar.", "18"),
    ("У неё 3 коробки. Ответ: 18", "18"),
    ("3 × 6 = 18，所以答案是18。", "18"),
    ("3箱あります。答えは18です。", "18"),
    ("Hatua 3. Jibu ni 18.", "18"),
    ("3 × 6 = 18 ดังนั้น คำตอบคือ 18", "18"),
    ("৩টি আছে। উত্তর হল ১৮।", "18"),
    ("సమాధానం 18.", "18"),
    ("정답은 18입니다.", "18"),
    ("La respuesta no es 17.", None),
    ("答案不是17。", None),
    ("Die Antwort ist 12.500 Euro.", "12500"),
    ("Answer: 12,50 €", "12.5"),
    ("Le prix total est de 1 250,50 €.", "1250.5"),
    ("The answer is Rs. 1,50,000", "150000"),
    ("The answer is 12'500.", "12500"),
    ("1.234,56", "1234.56"),
    ("The answer is ١٨", "18"),
    ("The answer is 12.500", None),
    ("2 lakh rupees", "200000"),
    ("$2m", "2000000"),
    ("20k", "20000"),
    ("答案是3.5万元。", "35000"),
    ("答案是3百万元。", "3000000"),
    ("Ответ: 2 миллиона", "2000000"),
    ("Answer: 2 Tausend", "2000"),
    ("2 mil pesos", None),
    ("Jibu ni elfu 2", None),
    ("答えは3時間半です", None),
    ("答案是3分之2", None),
]

UNREADABLE = [
    "",
    "no number here",
    "18 or 19",
    "3 to 5",
    "3 \u2013 5",
    "12:30",
    "1,5",
    "0,500",
    "18.5.2",
    "1 234/5",
    "3/4/2020",
    "1/0",
    # a minus or a list item
    "- 5",
    "3 + 4",
    "3 + 3",
    "2x",
    "2 dozen",
    "2 and a half",
    "18th",
    "1e999999999",
    "9" * 60,
    "1/" + "7" * 60,
    "-(5)",
    r"-$\left(5\right)$",
    r"$-\left(5\right)$",
    "negative (5)",
    "the square root of 9",
    "sqrt(9)",
    "a third of 18",
    "2 thirds",
    "3 squared",
    "10 to the power of 3",
    "10 to the third power",
    "5 degrees below zero",
    "The answer is -(5)",
    "The answer is the square root of 9",
    "The answer is 3 squared",
    "The answer is 10 to the power of 3",
    "The answer is 5 degrees below zero",
    r"\boxed{\text{in 3 days } 18}",
    "The answer is 3-5",
    "The answer is 3 or 4",
    "She has 4. The answer is 3 or 4",
    "The answer is between 3 and 5",
    "The answer is 3, 4 and 5",
    "The answer is 3 hours and 20 minutes",
    "The answer is 5 feet 10 inches",
    "The answer is 6 out of 10",
    "The answer is 50% of 18",
    "The answer is at least 18",
    "The answer is 12:30",
    "The answer is 7 x 3",
    "The answer is x = 3, y = 4",
    "The answer is (18), x = 5",
    "The answer is 18, right?",
    "She has 19. The answer is not 18",
    "The answer is clearly not 18",
    "She has 9. The answer is two thirds.",
    "She has 9. The answer is five and a half.",
    "She has 9. The answer is four hundred.",
    "She has 9. The answer is twenty or so.",
    "So the 3 to 5 boxes.",
    "So it took his 3 hours 20 minutes.",
    "So she needs 3 cups and 2 spoons to make 4 cakes.",
    "So Victor must work 25 hours at $16 per hour to earn $400.",
    "So the company hired 12 of the 60 applicants, which is 20%.",
    "12 ducks + 3 = 15, and that's 16.",
    # two results, a price, a rate and its factor, what time it takes
    "So the house is worth 200,000 and the profit is 70,000.",
    "So she bought 12 apples for $36.",
    "So she pays $5 for 2 kids and $7 for 3 adults.",
    "So she has to work 5 hours a day for 6 days.",
    "So she has 4 full boxes with 3 eggs left over.",
    "Therefore she finished reading 240 pages in 4 days.",
    "She has 50 and wants 126. So she makes 126 in 7 days.",
    "So the 3 boxes of 12 hold 36 apples, 4 layers each.",
    # a heading or an answer and a sentence
    "#### 2. Add them up",
    "**Answer:**\nJanet has 9 ducks. She makes 9 * 2 = 18.",
    r"\boxed{3} or \boxed{4}",
    r"\boxed{3}, \boxed{4}",
    r"The answer is 3 or \boxed{4}",
    r"not \boxed{3}",
    r"\boxed{18",
    r"\boxed{\sqrt{2}}",
    r"She has 3. \boxed{Paris}",
    "She has 18 left. That took 2 steps.",
    "9 * 2 = 18. That took 2 steps.",
    "So she has 18. That took 2 steps.",
    "She has 9.\nShe has 18.",
    "She has 18. So far that took 2 steps.",
    "18\n19",
    "x = 3 and y = 4",
    "She has 18 apples and 3 pears.",
    "She has 20 because 9 * 2 = 18.",
    "Total - $18",
    "The answer is 0.333...",
    "The answer is 101₂",
    "The answer is 3h30",
    "The answer is 4π",
    "The answer is 6\\sqrt{2}",
    "The answer is 12m",
    "The answer is 18 or more",
    "The answer is 41 for (a) and for (b) it is 42.",
    "The answer is 2 (thousand)",
    "Ответ: от 3 до 5",
    "Die Antwort ist 3 bis 5.",
    "La réponse est 3 heures et demie.",
    "x = 4 or x = -2",
]

CHATTER = [
    "",
    "\nI hope this helps with all 3 parts!",
    "\n\nThere were 16 eggs. She ate 3 = 1 + 2 of them.",
    "\nWas it 7?",
]

FORMATS = [
    "{n}",
    "{n}.",
    "{n}.00",
    "${n}",
    "{n:,}",
    "${n:,}.0",
    "{n}%",
    "{n} dollars",
    "**{n}**",
    "#### {n:,}",
    "The answer is {n:,}.",
    "The final answer is: **${n}**",
    "Answer: {n:,}",
    "Final answer: {n} eggs",
    r"\boxed{{{n}}}",
    r"$\boxed{{\text{{{n:,} eggs}}}}$",
    "So she makes 2 * 3 = {n:,} dollars.",
    r"$$x = {n}$$",
]


@pytest.mark.parametrize(("response", "answer"), NUMBERS)
def test_a_number_is_read_alone_and_after_any_marker(response: str, answer: str) -> None:
    assert read_answer(response) == answer
    assert read_answer(f"She has 3.\nThe answer is {response}") == answer
    assert read_answer(f"She has 3.\nAnswer: {response}") == answer


@pytest.mark.parametrize(
    ("response", "answer"),
    [*MARKERS, *SENTENCES, *THOUGHTS, *MARKED, *RUN_ON, *TAKEN_BACK, *ELSEWHERE],
)
def test_the_final_answer_is_found(response: str, answer: str | None) -> None:
    assert read_answer(response) == answer


@pytest.mark.parametrize("response", UNREADABLE)
def test_what_can_be_read_in_two_ways_is_not_read(response: str) -> None:
    assert read_answer(response) is None


@pytest.mark.parametrize(
    ("target", "answer"),
    [
        ("18", "18"),
        (" 18\n", "18"),
        ("$2.50", "2.5"),
        ("#### 1,234", "1234"),
        ("3 * 4 = <<3*4=12>>12 eggs.\n#### 12", "12"),
        ("1/3", "1/3"),
        ("7 days", "7"),
        (r"So it is \boxed{\frac{1}{2}}.", "0.5"),
        ("Paris", None),
        ("Paris 2024", None),
        ("#### Paris", None),
        ("3 or 4", None),
        ("A", None),
        ("", None),
    ],
)
def test_a_target_is_read_where_it_is_a_number(target: str, answer: str | None) -> None:
    assert read_target(target) == answer


@pytest.mark.parametrize("written", FORMATS)
@pytest.mark.parametrize(
    "number", [0, 1, 7, 18, 90, 100, 999, 1000, 1080, 65_960, 1_000_000, 109_200_000]
)
def test_an_integer_reads_back_however_it_is_written(written: str, number: int) -> None:
    assert read_answer(written.format(n=number)) == str(number)


@pytest.mark.parametrize("after", CHATTER)
@pytest.mark.parametrize(
    "before", ["", "Janet has 16 eggs and 3 ducks.\n", "16 - 3 - 4 = 9. ", "Step 1: 5 or 6\n\n"]
)
@pytest.mark.parametrize(
    "explicit", ["#### 18", "The answer is 18.", "Answer: 18", r"\boxed{18}", "Final answer: $18"]
)
def test_chatter_around_an_explicit_answer_changes_nothing(
    explicit: str, before: str, after: str
) -> None:
    assert read_answer(before + explicit + after) == "18"


@pytest.mark.parametrize("numerator", [0, 1, -1, 2, 18, -355, 10**20, 123_456_789])
@pytest.mark.parametrize("denominator", [1, 2, 3, 7, 8, 10, 113, 625, 2**20, 10**9])
def test_an_answer_reads_as_itself_and_as_the_same_number(numerator: int, denominator: int) -> None:
    answer = read_answer(f"{numerator}/{denominator}")
    assert answer is not None and Fraction(answer) == Fraction(numerator, denominator)
    assert read_answer(answer) == read_target(answer) == answer


HOSTILE = [
    "1",
    "1,",
    ",",
    "#",
    "{",
    " ",
    "\n",
    "*",
    "(",
    "-",
    "$",
    "\\",
    "####",
    "\\boxed{",
    "\\frac{",
    "answer: ",
    "1 a a ",
    "<<",
    "#### 1. x\n#### 2. x\n",
    "".join(f"#### {number}. x\n" for number in range(100)),
    "1 = 1. 1\n",
    "-([(5",
    "the answer is about just ",
    "1\n",
    "She has 1 egg.\n",
    "1.1.1.",
    "1,1,1,",
    "<think>",
    "</think>",
    "<answer>",
    '{"answer": "',
    "Question: 1\n",
    "wait, no, it is 1 ",
    "½",
]


@pytest.mark.parametrize("piece", ["1.1.1.", "<think>", "\\boxed{", "1 a a ", "answer: ", "½"])
def test_a_hostile_response_is_read_in_a_second(piece: str) -> None:
    start = time.process_time()
    read_answer(piece * (60_000 // len(piece)))
    assert time.process_time() - start < 1


@pytest.mark.real
@pytest.mark.parametrize("piece", HOSTILE)
def test_a_megabyte_of_anything_is_read_in_two_seconds(piece: str) -> None:
    start = time.process_time()
    read_answer(piece * (1_000_000 // len(piece)))
    assert time.process_time() - start < 2


@pytest.mark.real
@pytest.mark.parametrize("split", ["train", "test"])
def test_every_worked_answer_of_gsm8k_is_read(split: str) -> None:
    file = DATA / "gsm8k" / f"{split}.jsonl"
    if not file.exists():
        pytest.skip(f"no GSM8K in {DATA}")
    for line in file.read_text(encoding="utf-8").splitlines():
        answer = json.loads(line)["answer"]
        target = answer.split("#### ")[1].replace(",", "")
        assert read_target(answer) == read_answer(answer) == str(int(target)), answer
        # as OpenAI's published solutions end, whatever the last equation says
        steps = answer.split("####")[0]
        assert read_answer(f"{steps}A: 90,017") == "90017", answer
